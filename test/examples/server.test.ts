// The batching server: what is shared are the network's calls, nothing else.
import { sample } from "dc-solver";
import { decode } from "fast-png";
import { describe, expect, it } from "vitest";
import { createBatcher } from "../../examples/server/batcher.js";
import { createHandler, type Model } from "../../examples/server/handler.js";
import { constructions } from "../support/constructions.ts";
import { expectBits } from "../support/runs.ts";
import { arithmetic, denoiserOf, dial, errorOf, gated, hear, numbers, start, until } from "./support.ts";

interface Wish {
  class: number[];
  steps: number;
  guidance: number;
  seed: number | number[];
  solver: string;
  order?: number;
}

const solvers = ["unipc", "dpmpp", "ddim"];
const wishes: Wish[] = Array.from({ length: 64 }, (_, i) => ({
  class: Array.from({ length: 1 + (i % 3) }, (_, k) => ((i + k) % 11) - 1),
  steps: 3 + (i % 6),
  guidance: [1, 7.5, 0, 3][i % 4] as number,
  seed: i % 3 === 2 ? [i, i + 1000, i + 2000] : i,
  solver: solvers[i % 3] as string,
  ...(i % 5 === 0 && i % 3 !== 2 ? { order: 3 } : {}),
}));

/** Returns what one gets without a server. */
async function alone(model: Model, { class: labels, steps, guidance, seed, ...solver }: Wish): Promise<Float32Array> {
  const { data } = await sample({
    plan: model.plan({ steps, guidanceScale: guidance, ...solver }),
    denoiser: denoiserOf(model),
    shape: [labels.length, ...model.shape],
    condition: labels,
    unconditional: labels.map(() => -1),
    guidanceScale: guidance,
    seed,
  });
  return data;
}

const query = (wish: Wish) =>
  Object.entries(wish)
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
const raw = "class=3&steps=3&format=float32";

describe("64 clients at once, each with settings of its own", () => {
  it.each([6, 32, 1000])("get the bits that they get alone, from calls of at most %s items", async (maxItems) => {
    const model = gated();
    const { get, post, batcher } = await start(model, { maxItems });
    const answers = wishes.map((wish, i) =>
      i % 2 === 0 ? get(`${query(wish)}&format=float32`) : post(JSON.stringify({ ...wish, format: "float32" })),
    );
    await until(() => batcher.requests === 64);
    model.open();
    for (const [i, wish] of wishes.entries()) {
      expectBits(await numbers(await (answers[i] as Promise<Response>)), await alone(model, wish));
    }
    const items = wishes.reduce((sum, w) => sum + w.class.length * (w.guidance === 1 ? 1 : 2) * w.steps, 0);
    expect(batcher.done.items).toBe(items);
    expect(Math.max(...model.calls.map(({ times }) => times.length))).toBeLessThanOrEqual(maxItems);
    // The last ones leave room; the first call is made before all have come.
    expect(batcher.done.calls).toBeLessThan(1.2 * (items / maxItems) + 10);
    expect(batcher.requests).toBe(0);
  });

  it("leave no memory behind", async () => {
    const model = arithmetic();
    const { get } = await start(model);
    const all = () => Promise.all(wishes.map(async (wish) => numbers(await get(`${query(wish)}&format=float32`))));
    await all();
    const model2 = gated();
    const second = await start(model2);
    const held = wishes.map((wish) => second.get(query(wish)));
    await until(() => second.batcher.requests === 64);
    model2.open();
    for (const answer of held) expect((await answer).status).toBe(200);
    // 64 runs at once have been; no more are needed ever after.
    for (let i = 0; i < 3; i++) expect(await constructions("Instance", all)).toEqual([]);
  });
});

it("gives the memory of aborted requests back", async () => {
  // Of a size that no other test here has.
  const model = gated(arithmetic([1, 150, 200]));
  const { batcher } = await start(model);
  const abort = async () => {
    const gone = new AbortController();
    const submit = (seed: number) => {
      const plan = model.plan({ steps: 3, guidanceScale: 1 });
      return batcher.submit({ plan, shape: [1, ...model.shape], labels: [1], seed }, gone.signal);
    };
    const all = Array.from({ length: 8 }, (_, i) => submit(i));
    const settled = Promise.allSettled(all);
    await until(() => model.calls.length > 0);
    expect(batcher.requests).toBe(8);
    gone.abort();
    for (const { status } of await settled) expect(status).toBe("rejected");
    expect(batcher.requests).toBe(0);
  };
  expect((await constructions("Instance", abort)).length).toBeGreaterThanOrEqual(8);
  for (let i = 0; i < 3; i++) expect(await constructions("Instance", abort)).toEqual([]);
});

describe("the order of service", () => {
  it("is that of arrival: whoever came first is in every call until the end, and the room that is left is used", async () => {
    const model = gated();
    const { batcher } = await start(model, { maxItems: 4 });
    const ended: string[] = [];
    const submit = (name: string, items: number, steps: number) => {
      const labels = Array<number>(items).fill(0);
      const shape = [items, ...model.shape];
      const plan = model.plan({ steps, guidanceScale: 1 });
      return batcher.submit({ plan, shape, labels }).then(() => void ended.push(name));
    };
    const all = [submit("a", 2, 3), submit("b", 1, 5), submit("c", 2, 1), submit("d", 1, 1), submit("e", 2, 1)];
    model.open();
    await Promise.all(all);
    // d fits beside a and b at once; c waits for a to end, and goes before e.
    expect(ended).toEqual(["d", "a", "c", "b", "e"]);
    expect(model.calls.map(({ times }) => times.length)).toEqual([4, 3, 3, 3, 3]);
  });

  it("lets no one starve behind a request that fills a call", async () => {
    const model = gated();
    const { get, batcher } = await start(model, { maxItems: 4 });
    const small = [1, 2, 3].map(() => get("class=1&steps=4"));
    const large = get("class=1,2&guidance=2&steps=4");
    await until(() => batcher.requests === 4);
    const later = get("class=1&steps=4");
    model.open();
    for (const answer of [...small, large, later]) expect((await answer).status).toBe(200);
  });
});

describe("a full queue", () => {
  it("answers 429 and when to come again, and takes requests once there is room", async () => {
    const model = gated();
    const { get, batcher } = await start(model, { maxRequests: 3 });
    const first = [0, 1, 2].map((seed) => get(`${raw}&seed=${seed}`));
    await until(() => batcher.requests === 3);
    const refused = await get(raw);
    expect([refused.status, refused.headers.get("retry-after"), await errorOf(refused)]).toEqual([
      429,
      "1",
      "too many requests are waiting",
    ]);
    model.open();
    for (const answer of first) expect((await answer).status).toBe(200);
    expect((await get(raw)).status).toBe(200);
  });
});

describe("a client that", () => {
  const head = (length: number) => `POST /sample HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

  it("reads byte by byte holds up no one", async () => {
    const { get, address, batcher } = await start(arithmetic([1, 256, 256]));
    const socket = await dial(address, "GET /sample?class=1,2,3,4,5,6,7,8&format=float32 HTTP/1.1\r\nHost: x\r\n\r\n");
    let bytes = 0;
    const reader = setInterval(() => {
      bytes += socket.read(1)?.length ?? 0;
    }, 5);
    await until(() => bytes > 10);
    for (let i = 0; i < 8; i++) expect((await get(raw)).status).toBe(200);
    expect(batcher.requests).toBe(0);
    clearInterval(reader);
    expect(bytes).toBeLessThan(1000);
  });

  it("sends byte by byte gets 408 in time, and holds up no one", async () => {
    const { get, address } = await start(arithmetic(), { headersTimeout: 300, requestTimeout: 600 });
    const sockets = [await dial(address, "GET /sam"), await dial(address, `${head(1000)}{"class"`)];
    const heard = sockets.map(hear);
    const writer = setInterval(() => sockets[1]?.write(" "), 20);
    for (let i = 0; i < 8; i++) expect((await get(raw)).status).toBe(200);
    for (const text of heard) expect(await text).toMatch(/^HTTP\/1.1 408 /);
    clearInterval(writer);
  });

  it("goes away frees its place at once: before its request is whole, while it waits, and during its call", async () => {
    const model = gated();
    const { get, address, batcher } = await start(model, { maxItems: 2 });
    const partial = await dial(address, `${head(100)}{"class": 3`);
    const sockets = [];
    for (let i = 0; i < 5; i++) {
      sockets.push(await dial(address, `GET /sample?class=${i}&steps=2&format=float32 HTTP/1.1\r\nHost: x\r\n\r\n`));
      await until(() => batcher.requests === i + 1);
    }
    // The first is in the call, four wait.
    expect(model.calls.map(({ labels }) => labels)).toEqual([[0]]);
    partial.destroy();
    sockets[0]?.destroy();
    sockets[3]?.destroy();
    await until(() => batcher.requests === 3);
    const wish = { class: [7], steps: 4, guidance: 7.5, seed: 5, solver: "unipc" };
    const last = get(`${query(wish)}&format=float32`);
    await until(() => batcher.requests === 4);
    model.open();
    expectBits(await numbers(await last), await alone(model, wish));
    expect(batcher.requests).toBe(0);
    expect(model.calls.some(({ labels }) => labels.includes(3))).toBe(false);
    for (const i of [1, 2, 4]) expect(sockets[i]?.destroyed).toBe(false);
  });

  it("went away before it was heard is answered 499, which is for logs", async () => {
    const { handler, batcher } = await start(arithmetic());
    const request = new Request("http://localhost/sample?class=1");
    expect((await handler(request, AbortSignal.abort())).status).toBe(499);
    expect(batcher.requests).toBe(0);
  });

  it("64 clients cut their connections at any time: nothing is left, and the server goes on", async () => {
    const model = arithmetic();
    const { get, batcher, reported } = await start({
      ...model,
      async call(batch) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        return model.call(batch);
      },
    });
    const settled = await Promise.allSettled(
      wishes.map((wish, i) => {
        const cut = new AbortController();
        if (i % 4 !== 0) setTimeout(() => cut.abort(), i / 2);
        return get(query(wish), { signal: cut.signal });
      }),
    );
    settled.forEach((answer, i) => {
      if (i % 4 === 0) expect(answer.status).toBe("fulfilled");
    });
    await until(() => batcher.requests === 0);
    expect((await get(raw)).status).toBe(200);
    expect(reported).toEqual([]);
  });

  it("sends less of a body than it said gets 400", async () => {
    const { address, batcher, get } = await start(arithmetic());
    const socket = await dial(address, `${head(100)}{"class": 3}`);
    const heard = hear(socket);
    socket.end();
    expect(await heard).toMatch(/^HTTP\/1.1 400 /);
    const chunked = await dial(
      address,
      'POST /sample HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{"class": 3}\r\n0\r\n\r\n',
    );
    expect(await hear(chunked)).toMatch(/^HTTP\/1.1 400 /);
    expect(batcher.requests).toBe(0);
    expect((await get(raw)).status).toBe(200);
  });

  it("sends too large a body gets 413, whether it says so before or not", async () => {
    const { address, post, get, batcher } = await start(arithmetic(), { bodyLimit: 100 });
    const json = (length: number) => '{"class":3}'.padEnd(length);
    expect((await post(json(100))).status).toBe(200);
    const refused = await post(json(101));
    expect([refused.status, await errorOf(refused)]).toEqual([413, "the body: expected at most 100 bytes"]);
    const chunk = `a\r\n${" ".repeat(10)}\r\n`;
    const text = `POST /sample HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(11)}`;
    const socket = await dial(address, text);
    expect(await hear(socket)).toMatch(/^HTTP\/1.1 413 /);
    expect(batcher.requests).toBe(0);
    expect((await get(raw)).status).toBe(200);
  });
});

describe("a request that is wrong gets 400 and is told why", () => {
  const classes = '"class": expected integers from -1 to 9, got ';
  const known = "known: class, steps, guidance, seed, solver, order, format";
  const bodies: [string, string | RegExp][] = [
    ["", /^the body is not JSON: /],
    ["{", /^the body is not JSON: /],
    ["null", "the body: expected a JSON object"],
    ["[3]", "the body: expected a JSON object"],
    ['"class"', "the body: expected a JSON object"],
    ["{}", `${classes}undefined`],
    ['{"class":"3"}', `${classes}"3"`],
    ['{"class":[3,1.5]}', `${classes}[3,1.5]`],
    ['{"class":10}', `${classes}10`],
    ['{"class":-2}', `${classes}-2`],
    ['{"class":[]}', `${classes}[]`],
    ['{"class":[[3]]}', `${classes}[[3]]`],
    ['{"class":null}', `${classes}null`],
    [`{"class":[${"1,".repeat(16)}1]}`, '"class": expected at most 16 labels, got 17'],
    ['{"class":3,"__proto__":{"steps":3}}', `"__proto__": unknown; ${known}`],
    ['{"class":3,"constructor":1}', `"constructor": unknown; ${known}`],
    ['{"class":3,"step":1}', `"step": unknown; ${known}`],
    ['{"class":3,"steps":0}', '"steps": expected an integer ≥ 1, got 0'],
    ['{"class":3,"steps":"5"}', '"steps": expected an integer ≥ 1, got "5"'],
    ['{"class":3,"steps":{}}', '"steps": expected an integer ≥ 1, got an object'],
    ['{"class":3,"steps":101}', '"steps": expected at most 100, got 101'],
    ['{"class":3,"steps":1e400}', '"steps": expected at most 100, got Infinity'],
    ['{"class":3,"guidance":1e300}', '"guidance": expected a number from -100 to 100, got 1e+300'],
    ['{"class":3,"guidance":"7"}', '"guidanceScale": expected a finite number, got "7"'],
    ['{"class":3,"guidance":null}', '"guidanceScale": expected a finite number, got null'],
    ['{"class":3,"seed":-1}', '"seed": expected an integer from 0 to 2^53 − 1, got -1'],
    ['{"class":3,"seed":"1"}', /^"seed": expected an integer .*, got "1"$/],
    ['{"class":3,"seed":[1,2]}', /^"seed": /],
    ['{"class":3,"solver":"runge"}', /^"solver": expected one of "unipc", .*, got "runge"$/],
    ['{"class":3,"solver":"__proto__"}', /^"solver": expected one of "unipc", .*, got "__proto__"$/],
    ['{"class":3,"order":0}', /^"order": /],
    ['{"class":3,"solver":"ddim","order":2}', /^"order": /],
    ['{"class":3,"format":"jpeg"}', '"format": expected one of png, float32, got "jpeg"'],
  ];
  const queries: [string, string | RegExp][] = [
    ["", `${classes}undefined`],
    ["class=", `${classes}null`],
    ["class=a", `${classes}null`],
    ["class=3,", `${classes}[3,null]`],
    ["class=3&class=4", '"class": given twice'],
    ["class=3&steps=2.5", '"steps": expected an integer ≥ 1, got 2.5'],
    ["class=3&steps=NaN", '"steps": expected an integer ≥ 1, got NaN'],
    ["class=3&guidance=1e999", '"guidance": expected a number from -100 to 100, got Infinity'],
    ["class=3&__proto__=1", `"__proto__": unknown; ${known}`],
    ["class=3&toString=1", `"toString": unknown; ${known}`],
    ["class=3&%00=1", `"\0": unknown; ${known}`],
  ];

  it("in its body or in its query", async () => {
    const { get, post, batcher, reported } = await start(arithmetic());
    const answers: [string, string | RegExp, Response][] = [];
    for (const [body, message] of bodies) answers.push([body, message, await post(body)]);
    for (const [text, message] of queries) answers.push([text, message, await get(text)]);
    for (const [text, message, response] of answers) {
      expect([text, response.status]).toEqual([text, 400]);
      if (typeof message === "string") expect(await errorOf(response)).toBe(message);
      else expect(await errorOf(response)).toMatch(message);
    }
    expect([batcher.requests, batcher.done.calls, reported]).toEqual([0, 0, []]);
    expect((await get(raw)).status).toBe(200);
  });

  it("or in the way it asks", async () => {
    const { address, get } = await start(arithmetic());
    expect((await fetch(`${address}/`)).status).toBe(404);
    expect((await fetch(`${address}/sample/..%2fhealthz`)).status).toBe(404);
    const put = await fetch(`${address}/sample`, { method: "PUT", body: "{}" });
    expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, POST"]);
    expect((await fetch(`${address}/healthz`, { method: "DELETE" })).status).toBe(405);
    const lines = [
      "GET // HTTP/1.1",
      "TRACE /sample HTTP/1.1",
      "GET http://[ HTTP/1.1",
      "NONSENSE",
      "GET /sample HTTP/9",
    ];
    for (const line of lines) {
      const heard = await hear(await dial(address, `${line}\r\nHost: x\r\nConnection: close\r\n\r\n`));
      expect([line, heard.slice(0, 10)]).toEqual([line, "HTTP/1.1 4"]);
    }
    const heard = await hear(await dial(address, `GET /sample HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(9000)}\r\n\r\n`));
    expect(heard).toMatch(/^HTTP\/1.1 431 /);
    expect((await get(raw)).status).toBe(200);
  });
});

describe("a network that fails", () => {
  it.each<[string, () => Promise<Float32Array>, RegExp]>([
    ["by an error", () => Promise.reject(new Error("out of memory")), /out of memory/],
    ["by a TypeError, which is not the client's", () => Promise.reject(new TypeError("no session")), /no session/],
    ["by too short an output", async () => new Float32Array(3), /the network gave 3 numbers for \d+/],
  ])("%s costs the requests of that call, and no other", async (_, failure, message) => {
    const model = arithmetic();
    let calls = 0;
    const gate = gated({ ...model, call: (batch) => (++calls === 2 ? failure() : model.call(batch)) });
    const { get, batcher, reported } = await start(gate, { maxItems: 4 });
    const answers: Promise<Response>[] = [];
    for (let i = 0; i < 8; i++) {
      answers.push(get(`${raw}&seed=${i}`));
      await until(() => batcher.requests === i + 1);
    }
    gate.open();
    // The first call was made for the first alone.
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual([500, 500, 500, 500, 200, 200, 200, 200]);
    expect(await errorOf(await (answers[0] as Promise<Response>))).toBe("sampling failed");
    expect(reported).toHaveLength(4);
    for (const error of reported) expect(`${error}`).toMatch(message);
    expect((await get(raw)).status).toBe(200);
    expect(batcher.requests).toBe(0);
  });

  it("for one item costs the request of that item", async () => {
    const model = arithmetic();
    const size = 20;
    const { get, reported } = await start({
      ...model,
      async call(batch) {
        const output = await model.call(batch);
        return output.map((v, i) => (batch.labels[Math.floor(i / size)] === 5 ? Number.NaN : v));
      },
    });
    const answers = await Promise.all([1, 5, 2, 3].map((label) => get(`class=${label}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 500, 200, 200]);
    expect(`${reported}`).toMatch(/^NonFiniteError: /);
  });

  it("by not answering costs each request its time limit, and health says so", async () => {
    const model = gated();
    const { get, address, batcher } = await start(model, { timeLimit: 100 });
    const answers = await Promise.all([1, 2, 3].map((label) => get(`class=${label}`)));
    for (const answer of answers)
      expect([answer.status, await errorOf(answer)]).toEqual([504, "not done within 100 ms"]);
    expect(batcher.requests).toBe(0);
    const stalled = await fetch(`${address}/healthz`);
    expect([stalled.status, await stalled.json()]).toMatchObject([503, { status: "stalled" }]);
    model.open();
    expect((await get(raw)).status).toBe(200);
    const well = await fetch(`${address}/healthz`);
    expect([well.status, await well.json()]).toMatchObject([200, { status: "ok", requests: 0 }]);
  });
});

describe("a server that closes", () => {
  it("answers all that wait, refuses what comes, and ends", async () => {
    const model = gated();
    const { get, batcher, close, address, handler } = await start(model, { maxItems: 8 });
    const keptAlive = await dial(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    const heard = hear(keptAlive);
    const answers = wishes.slice(0, 16).map((wish) => get(query(wish)));
    await until(() => batcher.requests === 16);
    const closed = close();
    const late = await handler(new Request(`${address}/sample?class=1`));
    expect([late.status, await errorOf(late)]).toEqual([503, "the server is closing"]);
    expect((await handler(new Request(`${address}/healthz`))).status).toBe(503);
    await expect(get(raw)).rejects.toThrow("fetch failed");
    model.open();
    for (const answer of answers) expect((await answer).status).toBe(200);
    await closed;
    expect(await heard).toMatch(/^HTTP\/1.1 200 /);
  });

  it("ends even where a client does not read what it is owed", async () => {
    const { address, close, batcher } = await start(arithmetic([1, 512, 512]));
    const classes = Array(16).fill(1).join(",");
    const socket = await dial(address, `GET /sample?class=${classes}&format=float32 HTTP/1.1\r\nHost: x\r\n\r\n`);
    socket.pause();
    await until(() => batcher.done.calls === 5 && batcher.requests === 0);
    await close();
  });
});

it("answers with a picture, digits side by side", async () => {
  const { get } = await start(arithmetic());
  const response = await get("class=3,1&steps=3");
  expect(response.headers.get("content-type")).toBe("image/png");
  const picture = decode(new Uint8Array(await response.arrayBuffer()));
  expect(picture).toMatchObject({ width: 10, height: 4, channels: 1, depth: 8 });
  const answer = await get("class=3,1&steps=3&format=float32");
  expect(answer.headers.get("x-shape")).toBe("2,1,4,5");
  const values = await numbers(answer);
  // The last pixel of the first row is the second digit's.
  const expected = Math.round(Math.min(Math.max(((values[24] as number) + 1) / 2, 0), 1) * 255);
  expect(picture.data[9]).toBe(expected);
});

it("a handler needs no server", async () => {
  const model = arithmetic();
  const handler = createHandler({ model, batcher: createBatcher({ network: model }) });
  const response = await handler(new Request(`https://example.org/sample?${raw}`));
  expect((await numbers(response)).length).toBe(20);
});
