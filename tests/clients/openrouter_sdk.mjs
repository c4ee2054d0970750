// @openrouter/sdk, whose schemas are strict: every answer that it takes is one that they allow.
import { OpenRouter } from "@openrouter/sdk";

const { BOARD_URL, BOARD_KEY } = process.env;
const client = new OpenRouter({ apiKey: BOARD_KEY, serverURL: `${BOARD_URL}/api/v1`, retryConfig: { strategy: "none" } });
const model = "tokenboard/echo";
const messages = [{ role: "user", content: "repeat after me" }];
const told = {};

const chat = await client.chat.send({ chatRequest: { model, messages } });
told.chat = [chat.choices[0].message.content, chat.usage.totalTokens];

told.chunks = [];
for await (const chunk of await client.chat.send({ chatRequest: { model, messages, stream: true } })) {
  told.chunks.push(chunk.choices[0]?.delta.content ?? "");
}

const response = await client.responses.send({ responsesRequest: { model, input: "repeat after me" } });
told.response = response.output[0].content[0].text;
told.deltas = [];
for await (const event of await client.responses.send({ responsesRequest: { model, input: "repeat after me", stream: true } })) {
  if (event.type === "response.output_text.delta") told.deltas.push(event.delta);
}

const vectors = await client.embeddings.generate({ requestBody: { model, input: ["one", "two"] } });
told.vectors = vectors.data.map((each) => each.embedding.length);

for await (const page of await client.models.list()) told.models = page.result.data.map((each) => each.id);
told.model = (await client.models.get({ author: "tokenboard", slug: "echo" })).data.name;
told.endpoints = (await client.endpoints.list({ author: "tokenboard", slug: "echo" })).data.endpoints.map((each) => each.providerName);
told.providers = (await client.providers.list()).data.map((each) => each.slug);
told.credits = (await client.credits.getCredits()).data.totalCredits;

told.errors = {};
for (const [name, asked] of Object.entries({
  unknown: { model: "nobody/serves-this", messages },
  broken: { model: "scripted/broken", messages, stream: true },
})) {
  try {
    const stream = await client.chat.send({ chatRequest: asked });
    for await (const chunk of stream) if (chunk.error) throw new Error(`${chunk.error.code} ${chunk.error.message}`);
  } catch (error) {
    told.errors[name] = [error.constructor.name, error.message];
  }
}
console.log(JSON.stringify(told));
