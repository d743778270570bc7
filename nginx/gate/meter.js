// Counts the tokens of a streamed answer as its frames pass, without touching a byte of it.
//
// TGI sends one frame a token, so the frames are the generated tokens, whether or not the client stays to the end. Where the
// stream itself carries the engine's count (usage, or details of the last frame), that count is taken, and the prompt's with it.
// A frame is one line, `data: {…}`; what else stands between them counts for nothing.

import engines from 'engines.js';

// The kinds of frames that the table `routes` names: what tells one that carries the engine's count, and how it is taken.
const FRAMES = {
    tgi: { mark: Buffer.from('"details":{'), take: details },
    openai: { mark: Buffer.from('"usage":{'), take: usage },
};
// With a mark to flush: otherwise nginx gathers tokens until they fill a buffer, 16 KB of it under TLS.
const MORE = { flush: true };
const LAST = { last: true, flush: true };

// What is looked for in every frame: as bytes, which a search takes as they are. A text would be made into bytes each time.
const BEGINNING = Buffer.from('data: {');
const NO_TOKEN = Buffer.from('"choices":[{"finish_reason":');   // of openai-api's frame that only says why the answer ended
const NEWLINE = 10;
// Where a frame's first name begins, and with what an error's does.
const NAME_AT = 'data: {"'.length;
const E = 101;

let kind = null;   // one of FRAMES, while an event stream passes
let frames = 0;
let prompt = 0;
let generated = 0;
let complete = false;
let refused = false;
let rest = null;

// js_body_filter: hands every piece on at once, then looks at it.
function watch(r, data, flags) {
    r.sendBuffer(data, flags.last ? LAST : MORE);
    if (kind === null && !begins(r)) {
        return;
    }
    if (rest === null && isOneToken(data)) {
        frames++;
    } else if (data.length > 0) {
        take(rest === null ? data : Buffer.concat([rest, data]));
    }
}

// Whether the answer that begins is one whose frames are counted. Of an event stream the headers come at once; its first frame is the
// first token.
function begins(r) {
    r.variables.first_byte = r.variables.request_time;
    engines.met(r.variables.upstream_addr);
    kind = isEventStream(r) ? kindOf(r) : null;
    if (kind === null) {
        r.done();
    }
    return kind !== null;
}

// The usual piece, told without cutting it up: a token's frame, whole and alone. Anything else is for `take`.
function isOneToken(data) {
    const last = data.length - 1;
    return data.indexOf(NEWLINE) === last - 1 && data[last] === NEWLINE && data[NAME_AT] !== E
        && data.indexOf(BEGINNING) === 0 && data.indexOf(kind.mark) < 0 && data.indexOf(NO_TOKEN) < 0;
}

function isEventStream(r) {
    return (r.headersOut['Content-Type'] || '').startsWith('text/event-stream');
}

function kindOf(r) {
    const found = FRAMES[r.variables.frames];
    if (found === undefined) {
        ngx.log(ngx.ERR, `meter: a stream of ${r.variables.route} is not counted: the table of routes names no frames for it`);
        return null;
    }
    return found;
}

// At the start of each request: nginx may hand a finished request's context to the next one.
function begin() {
    kind = null;
    frames = 0;
    prompt = 0;
    generated = 0;
    complete = false;
    refused = false;
    rest = null;
}

function take(data) {
    let start = 0;
    let end = data.indexOf(NEWLINE);
    while (end >= 0) {
        frame(data.subarray(start, end));
        start = end + 1;
        end = data.indexOf(NEWLINE, start);
    }
    // a copy: the buffer is nginx's again when this call returns
    rest = start < data.length ? Buffer.from(data.subarray(start)) : null;
}

// Quotes inside a JSON text are escaped, so these needles are found only where they are keys.
function frame(line) {
    if (line.indexOf('data: [DONE]') === 0) {
        complete = prompt > 0;
    } else if (line.indexOf(BEGINNING) !== 0) {
        return;
    } else if (line.indexOf(kind.mark) >= 0) {
        kind.take(JSON.parse(line.toString().slice(5)), line.indexOf(NO_TOKEN) < 0);
    } else if (line.indexOf('data: {"error":') === 0) {
        refused = frames === 0;
    } else if (line.indexOf(NO_TOKEN) < 0) {
        frames++;
    }
}

// The engine's count of a whole answer, in its last frame, which carries a token, too.
function details(event) {
    prompt += event.details.input_length;
    generated += event.details.generated_tokens;
    frames++;
    complete = true;
}

// The same, or that of one of several prompts' answers; some of these frames carry a token, too.
function usage(event, hasToken) {
    prompt += event.usage.prompt_tokens;
    generated += event.usage.completion_tokens;
    frames += hasToken ? (event.choices || []).length : 0;
}

// What has passed so far. undefined when nothing was streamed; the prompt is null where the stream did not tell all of it.
function counts() {
    if (kind === null) {
        return undefined;
    }
    return { prompt: complete || refused ? prompt : null, generated: Math.max(generated, frames) };
}

// Whether the route's answers are generated, so that they can be streamed.
function generates(r) {
    return r.variables.frames !== '';
}

export default { begin, watch, counts, generates };
