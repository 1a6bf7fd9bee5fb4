// What a call is to whoever takes part in it, page or phone.

export interface Talker {
  readonly tone: number; // Hz that its microphone hears
  dial(number: string): Promise<unknown>;
  /** It is called, and takes the call. */
  answer(): Promise<unknown>;
  waitForTone(frequency: number, deadline?: number): Promise<unknown>;
}

/** Each hears the other one's tone. */
export async function hearEachOther(one: Talker, other: Talker, deadline?: number): Promise<void> {
  await Promise.all([one.waitForTone(other.tone, deadline), other.waitForTone(one.tone, deadline)]);
}

/** The number is called, whose owner answers; they hear each other. */
export async function talk(caller: Talker, number: string, called: Talker): Promise<void> {
  await caller.dial(number);
  await called.answer();
  await hearEachOther(caller, called);
}
