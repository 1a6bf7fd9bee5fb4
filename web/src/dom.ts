// Finding what index.html has.

/** The element of this id; a missing one is a mistake of ours. */
export function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}.`);
  return found;
}

export function testId(name: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`[data-testid="${name}"]`);
  if (found === null) throw new Error(`index.html has nothing with data-testid="${name}".`);
  return found;
}

export function show(id: string, shown: boolean): void {
  element(id, HTMLElement).hidden = !shown;
}

/** An icon of the sprite in index.html. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}
