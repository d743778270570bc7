// The meter: however an answer is cut into pieces, its tokens are counted once, and its bytes pass as they came.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { beforeEach, test } from 'node:test';
import { freshNgx, load, request } from './njs.mjs';

const engines = await load('engines.js');
const meter = await load('meter.js');
const TGI_TOKEN = '{"index":1,"token":{"id":5,"text":"\\"usage\\":{ü","logprob":-1,"special":false},"generated_text":null,"details":null}';
const TGI_LAST = '{"index":3,"token":{"id":9,"text":".","logprob":-1,"special":false},"generated_text":"a.",'
    + '"details":{"finish_reason":"length","generated_tokens":3,"seed":null,"input_length":11}}';
const CHAT_TOKEN = '{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"\\"details\\":{你"}}],"usage":null}';
const CHAT_END = '{"object":"chat.completion.chunk","choices":[{"finish_reason":"tool_calls","index":0,"delta":{},"logprobs":null}],"usage":null}';
const CHAT_USAGE = '{"object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}';
const COMPLETION_LAST = '{"choices":[{"text":"a","index":0}],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}';
const COMPLETION_TOKEN = '{"choices":[{"index":0,"text":"\\"choices\\":[{\\"finish_reason\\":","logprobs":null,"finish_reason":null}]}';
const COMPLETION_END = '{"choices":[{"finish_reason":"stop","index":1,"text":""}],"usage":{"prompt_tokens":4,"completion_tokens":1,"total_tokens":5}}';
const frames = (...texts) => texts.map(text => `data: ${text}\n\n`).join('');

// What is counted of a stream that comes in these pieces.
function counted(kind, pieces) {
    const r = request({ headersOut: { 'Content-Type': 'text/event-stream' }, variables: { frames: kind } });
    meter.begin();
    pieces.forEach(piece => meter.watch(r, Buffer.from(piece), { last: false }));
    meter.watch(r, Buffer.alloc(0), { last: true });
    assert.equal(Buffer.concat(r.sent.pieces.map(([data]) => data)).toString(), Buffer.concat(pieces.map(p => Buffer.from(p))).toString());
    assert.equal(r.variables.first_byte, '0.500');
    return meter.counts();
}

const STREAMS = {
    'a whole answer of TGI': ['tgi', frames(TGI_TOKEN, TGI_TOKEN, TGI_LAST), { prompt: 11, generated: 3 }],
    'one that was left early': ['tgi', frames(TGI_TOKEN, TGI_TOKEN), { prompt: null, generated: 2 }],
    'one that stops inside a frame': ['tgi', frames(TGI_TOKEN) + 'data: {"index":2', { prompt: null, generated: 1 }],
    'one refused at once': ['tgi', frames('{"error":"too long","error_type":"validation"}'), { prompt: 0, generated: 0 }],
    'one that fails on the way': ['tgi', frames(TGI_TOKEN, '{"error":"lost","error_type":"generation"}'), { prompt: null, generated: 1 }],
    'words that look like an error': ['tgi', frames('{"index":1,"token":{"text":"{\\"error\\":"}}'), { prompt: null, generated: 1 }],
    'a token whose frame begins with an e': ['tgi', frames('{"echo":1}', TGI_TOKEN), { prompt: null, generated: 2 }],
    'a chat with usage': ['openai', frames(CHAT_TOKEN, CHAT_TOKEN, CHAT_USAGE, '[DONE]'), { prompt: 7, generated: 2 }],
    'a chat without usage': ['openai', frames(CHAT_TOKEN, CHAT_TOKEN, '[DONE]'), { prompt: null, generated: 2 }],
    'a call whose end has a frame of its own': ['openai', frames(CHAT_TOKEN, CHAT_END, '[DONE]'), { prompt: null, generated: 1 }],
    'a chat left before [DONE]': ['openai', frames(CHAT_TOKEN, CHAT_USAGE), { prompt: null, generated: 2 }],
    'answers to two prompts': ['openai', frames(COMPLETION_LAST, COMPLETION_LAST, '[DONE]'), { prompt: 8, generated: 4 }],
    'an answer whose end is told with its usage': ['openai', frames(COMPLETION_TOKEN, COMPLETION_END, '[DONE]'), { prompt: 4, generated: 1 }],
    'comments and other fields': ['tgi', `: alive\n\nevent: x\nid: 5\n${frames(TGI_TOKEN)}\n\n`, { prompt: null, generated: 1 }],
};

beforeEach(() => freshNgx());

for (const [name, [kind, text, expected]] of Object.entries(STREAMS)) {
    const bytes = Buffer.from(text);

    test(`${name}: in one piece, and byte by byte`, () => {
        assert.deepEqual(counted(kind, [bytes]), expected);
        assert.deepEqual(counted(kind, [...bytes].map(byte => Buffer.of(byte))), expected);
    });

    test(`${name}: cut at every byte`, () => {
        for (let at = 0; at <= bytes.length; at++) {
            assert.deepEqual(counted(kind, [bytes.subarray(0, at), bytes.subarray(at)]), expected, `cut at ${at}`);
        }
    });

    test(`${name}: with one line end between its lines`, () => {
        const dense = Buffer.from(text.replaceAll('\n\n', '\n'));
        for (let at = 0; at <= dense.length; at++) {
            assert.deepEqual(counted(kind, [dense.subarray(0, at), dense.subarray(at)]), expected, `cut at ${at}`);
        }
    });

    test(`${name}: frame by frame, as an engine sends it`, () => {
        assert.deepEqual(counted(kind, text.split(/(?<=\n\n)/).map(piece => Buffer.from(piece))), expected);
    });

    test(`${name}: with lines that end as HTTP's do`, () => {
        const crlf = Buffer.from(text.replaceAll('\n', '\r\n'));
        for (let at = 0; at <= crlf.length; at++) {
            assert.deepEqual(counted(kind, [crlf.subarray(0, at), crlf.subarray(at)]), expected, `cut at ${at}`);
        }
    });
}

test('a piece is flushed, and what waits for its end is a copy of it', () => {
    const r = request({ headersOut: { 'Content-Type': 'text/event-stream; charset=utf-8' }, variables: { frames: 'tgi' } });
    const piece = Buffer.from('data: {"index"');
    meter.begin();
    meter.watch(r, piece, { last: false });
    piece.fill('x');   // nginx writes the next piece there
    meter.watch(r, Buffer.from(':1}\n\n'), { last: true });
    assert.deepEqual(meter.counts(), { prompt: null, generated: 1 });
    assert.deepEqual(r.sent.pieces.map(([, flags]) => flags), [{ flush: true }, { last: true, flush: true }]);
});

test('whoever begins to answer is known as an engine, a refusal of our own and openai-api as none', () => {
    for (const upstream_addr of ['10.0.0.1:3000', '10.0.0.9:3000, 10.0.0.8:3000 : 10.0.0.2:3000', '', undefined, '10.0.0.7:8000']) {
        meter.begin();
        meter.watch(request({ variables: { upstream_addr, frames: 'tgi' } }), Buffer.from('{}'), { last: true });
    }
    assert.deepEqual(ngx.shared.engines.keys(), ['10.0.0.1:3000', '10.0.0.2:3000']);
    assert.equal(engines.note(request({ variables: { upstream_addr: '10.0.0.3:3000' } })), '');
    assert.deepEqual(ngx.shared.engines.keys(), ['10.0.0.1:3000', '10.0.0.2:3000', '10.0.0.3:3000']);
});

test('what is no stream passes, and is counted elsewhere', () => {
    const r = request({ headersOut: { 'Content-Type': 'application/json' }, variables: { frames: 'tgi' } });
    meter.begin();
    meter.watch(r, Buffer.from('data: {}\n\n'), { last: false });
    assert.equal(r.sent.done, true);
    assert.equal(r.variables.first_byte, '0.500');
    assert.equal(meter.counts(), undefined);
});

test('a stream whose frames the table does not name is said to be uncounted', () => {
    const r = request({ headersOut: { 'Content-Type': 'text/event-stream' }, variables: { route: 'new' } });
    meter.begin();
    meter.watch(r, Buffer.from(frames(TGI_TOKEN)), { last: false });
    assert.equal(r.sent.done, true);
    assert.match(ngx.logged[0], /error: meter: a stream of new is not counted/);
});

test('a request begins with nothing counted', () => {
    assert.equal(counted('tgi', [frames(TGI_TOKEN, TGI_TOKEN)]).generated, 2);
    meter.begin();
    assert.equal(meter.counts(), undefined);
    assert.equal(counted('openai', [frames(CHAT_TOKEN)]).generated, 1);
});

test('every kind of frame in the table of routes is one that the meter knows', () => {
    const table = readFileSync(new URL('../../../nginx/routes', import.meta.url), 'utf8');
    const named = table.split('\n').map(line => line.split('#')[0].trim().split(/\s+/)).filter(words => words[6] === 'counted');
    const kinds = new Set(named.map(words => words[7]));
    kinds.delete('-');
    assert.ok(kinds.size > 0);
    for (const kind of kinds) {
        assert.equal(counted(kind, [frames('{"choices":[]}')])?.generated, 1, kind);
    }
});
