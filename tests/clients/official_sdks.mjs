// OpenAI's and Anthropic's own SDKs for Node.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const { BOARD_URL, BOARD_KEY } = process.env;
const openai = new OpenAI({ apiKey: BOARD_KEY, baseURL: `${BOARD_URL}/v1`, maxRetries: 0 });
const anthropic = new Anthropic({ apiKey: BOARD_KEY, baseURL: BOARD_URL, maxRetries: 0 });
const model = "tokenboard/echo";
const messages = [{ role: "user", content: "repeat after me" }];
const told = { errors: {} };

told.chat = (await openai.chat.completions.create({ model, messages })).choices[0].message.content;
told.response = (await openai.responses.create({ model, input: "repeat after me" })).output_text;
told.found = (await openai.models.retrieve(model)).id;
told.message = (await anthropic.messages.create({ model, max_tokens: 9, messages })).content[0].text;
told.streamed = await anthropic.messages.stream({ model, max_tokens: 9, messages }).finalText();
told.counted = (await anthropic.messages.countTokens({ model, messages })).input_tokens;
told.models = [];
for await (const each of anthropic.models.list({ limit: 1 })) told.models.push([each.type, each.id, each.display_name]);

for (const [name, ask] of Object.entries({
  openai: () => openai.chat.completions.create({ model: "nobody/serves-this", messages }),
  anthropic: () => anthropic.messages.create({ model: "nobody/serves-this", max_tokens: 9, messages }),
  missing: () => anthropic.models.retrieve("nobody/serves-this"),
})) {
  try {
    await ask();
  } catch (error) {
    told.errors[name] = [error.constructor.name, error.status, error.type ?? null, error.param ?? null];
  }
}
console.log(JSON.stringify(told));
