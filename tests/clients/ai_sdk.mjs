// The AI SDK with each of its providers that speak to a board.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import { embed, generateText, streamText } from "ai";

const { BOARD_URL, BOARD_KEY } = process.env;
const given = { apiKey: BOARD_KEY, baseURL: `${BOARD_URL}/v1` };
const openai = createOpenAI(given);
const compatible = createOpenAICompatible({ ...given, name: "board", includeUsage: true });
const providers = {
  anthropic: createAnthropic(given),
  "openai chat": openai.chat,
  "openai responses": openai.responses,
  "openai completion": openai.completion,
  compatible,
  openrouter: createOpenRouter({ apiKey: BOARD_KEY, baseURL: `${BOARD_URL}/api/v1` }),
};
const told = { texts: {}, streams: {}, errors: {} };
const asked = { prompt: "repeat after me", maxRetries: 0 };
for (const [name, provider] of Object.entries(providers)) {
  const model = provider("tokenboard/echo");
  const { text, usage } = await generateText({ model, ...asked });
  told.texts[name] = [text, usage.inputTokens, usage.outputTokens];
  const stream = streamText({ model, ...asked, onError: ({ error }) => { throw error; } });
  let streamed = "";
  for await (const piece of stream.textStream) streamed += piece;
  told.streams[name] = [streamed, (await stream.usage).outputTokens];
  try {
    await generateText({ model: provider("nobody/serves-this"), ...asked });
  } catch (error) {
    told.errors[name] = [error.name, error.statusCode, error.message];
  }
}
told.embedding = (await embed({ model: openai.embedding("tokenboard/echo"), value: "one" })).embedding.length;
console.log(JSON.stringify(told));
