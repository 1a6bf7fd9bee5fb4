// Free ports on 127.0.0.1, for programs that cannot choose one by themselves.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

// Below the range from which the kernel takes ports by itself, so that nothing slips in between here and the program's bind. Nor
// does another worker of vitest: each has its own half.
const kLowest = 10_000;
const kShare = 11_000;
const lowest = kLowest + ((Number(process.env['VITEST_POOL_ID'] ?? 1) - 1) % 2) * kShare;

const given = new Set<number>();

/** `count` neighbouring ports, each free for UDP and for TCP, never given twice. */
export async function freePorts(count = 1): Promise<number> {
  for (let attempt = 0; attempt < 200; ++attempt) {
    const first = lowest + 2 * Math.floor((Math.random() * (kShare - count)) / 2);
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if (ports.some((port) => given.has(port))) continue;
    const free = await Promise.all(ports.flatMap((port) => [udpFree(port), tcpFree(port)]));
    if (!free.every(Boolean)) continue;
    ports.forEach((port) => given.add(port));
    return first;
  }
  throw new Error(`no ${count} free ports`);
}

function udpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}

function tcpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
