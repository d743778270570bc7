// What a program does with OpenAI's own package for node: node openai_client.mjs BASE_URL
// Prints one JSON object of what it got.

import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'none', maxRetries: 0 });
const asked = { model: 'tgi', messages: [{ role: 'user', content: 'Say hello.' }], max_tokens: 8, temperature: 0 };
const parameters = { type: 'object', properties: { city: { enum: ['Paris', 'Rome'] } }, required: ['city'] };
const tools = [{ type: 'function', function: { name: 'get_weather', parameters } }];

async function refusal(options) {
    try {
        await client.chat.completions.create({ ...asked, ...options });
        return null;
    } catch (error) {
        return { kind: error.constructor.name, status: error.status, code: error.code, param: error.param };
    }
}

async function wholeAndStreamed() {
    const whole = await client.chat.completions.create({ ...asked, top_p: 1, n: 1, stop: '\n\n' });
    let streamed = '';
    let usage = null;
    const options = { stream: true, stop: '\n\n', stream_options: { include_usage: true } };
    for await (const chunk of await client.chat.completions.create({ ...asked, ...options })) {
        streamed += chunk.choices[0]?.delta?.content ?? '';
        usage = chunk.usage ?? usage;
    }
    return { whole: whole.choices[0].message.content, streamed, usage, wholeUsage: whole.usage };
}

// The likeliest text may change with whatever else the engine has in its batch.
let texts = await wholeAndStreamed();
for (let again = 0; again < 5 && texts.whole !== texts.streamed; again += 1) {
    texts = await wholeAndStreamed();
}
const helped = client.chat.completions.stream({ ...asked, tools, tool_choice: 'required', max_tokens: 120 });
const final = await helped.finalChatCompletion();
const models = [];
for await (const model of client.models.list()) {
    models.push(model.id);
}
console.log(JSON.stringify({
    ...texts,
    reason: final.choices[0].finish_reason,
    call: final.choices[0].message.tool_calls[0].function,
    models,
    refusal: await refusal({ logit_bias: { 5: 1 } }),
}));
