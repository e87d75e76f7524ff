// The official OpenAI client for Node, unchanged, against a running gateway: whole, streamed, tools, errors, cancel.
// Usage: node openai_node.mjs PORT
import { createRequire } from "node:module";
const require = createRequire(process.env.BREVET_NODE_MODULES + "/");
const { default: OpenAI, NotFoundError, BadRequestError, InternalServerError } = require("openai");

const client = new OpenAI({ baseURL: `http://127.0.0.1:${process.argv[2]}/v1`, apiKey: "unused", maxRetries: 0 });
const ask = (text, more = {}) =>
  client.chat.completions.create({ model: "auto", messages: [{ role: "user", content: text }], ...more });
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];
let passed = 0;
function check(name, condition) {
  if (!condition) {
    console.error(`FAILED: ${name}`);
    process.exit(1);
  }
  passed += 1;
  console.log(`ok ${name}`);
}

const models = [];
for await (const model of client.models.list()) models.push(model.id);
check("models.list", models.includes("auto") && models.includes("weak"));
const answer = await ask("hello there");
check("whole", answer.choices[0].message.content.includes("hello there") && answer.usage.total_tokens > 0);
let text = "";
for await (const chunk of await ask("stream to me", { stream: true })) text += chunk.choices[0]?.delta?.content ?? "";
check("streamed", text.includes("stream to me"));
const helper = client.chat.completions.stream({ model: "auto", messages: [{ role: "user", content: "helper" }] });
check("stream helper's final message", (await helper.finalMessage()).content.includes("helper"));
const call = (await ask("do:tool", { tools })).choices[0].message.tool_calls[0];
check("tools, whole", call.function.name === "weather" && call.function.arguments === '{"city":"Paris"}');
let streamed = "";
for await (const chunk of await ask("do:tool", { tools, stream: true }))
  streamed += chunk.choices[0]?.delta?.tool_calls?.[0]?.function?.arguments ?? "";
check("tools, streamed", streamed === '{"city":"Paris"}');
for (const [name, kind, run] of [
  ["unknown model", NotFoundError, () => ask("x", { model: "nope" })],
  ["bad request", BadRequestError, () => ask("x", { stream: "maybe" })],
  ["provider's own error", BadRequestError, () => ask("do:e400", { model: "strong" })],
  ["provider down", InternalServerError, () => ask("x", { model: "down" })],
]) {
  let caught;
  try {
    await run();
  } catch (error) {
    caught = error;
  }
  check(`${name}: ${caught?.code}`, caught instanceof kind && caught.code);
}
let cut;
try {
  for await (const chunk of await ask("do:cut a text of more than one piece", { model: "best", stream: true })) void chunk;
} catch (error) {
  cut = error;
}
check("cut stream throws", cut !== undefined);
const stream = await ask("do:slow node-cancel " + "word ".repeat(100), { model: "best", stream: true });
for await (const chunk of stream) {
  void chunk;
  stream.controller.abort();
  break;
}
check("cancelled", stream.controller.signal.aborted);
console.log(`${passed} passed, 0 failed (openai for Node)`);
