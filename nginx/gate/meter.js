// Counts the tokens of a streamed answer as its frames pass, without touching a byte of it.
//
// TGI sends one frame a token, so the frames are the generated tokens, whether or not the client stays to the end. Where the
// stream itself carries the engine's count (usage, or details of the last frame), that count is taken, and the prompt's with it.

const NEWLINE = 10;

let streaming = false;
let frames = 0;
let prompt = 0;
let generated = 0;
let counted = false;
let rest = null;

// js_body_filter: hands every piece on at once, then looks at it.
function watch(r, data, flags) {
    r.sendBuffer(data, flags);
    if (!streaming) {
        // an event stream's headers come at once; its first frame is the first token
        r.variables.first_byte = r.variables.request_time;
        if (!isEventStream(r)) {
            r.done();
            return;
        }
        streaming = true;
    }
    if (data.length > 0) {
        take(rest === null ? data : Buffer.concat([rest, data]));
    }
}

function isEventStream(r) {
    return (r.headersOut['Content-Type'] || '').startsWith('text/event-stream');
}

// At the start of each request: nginx may hand a finished request's context to the next one.
function begin() {
    streaming = false;
    frames = 0;
    prompt = 0;
    generated = 0;
    counted = false;
    rest = null;
}

function take(data) {
    let start = 0;
    let end = data.indexOf('\n\n', 0);
    while (end >= 0) {
        frame(data, start, end);
        start = end + 2;
        while (data[start] === NEWLINE) {
            start++;
        }
        end = data.indexOf('\n\n', start);
    }
    // a copy: the buffer is nginx's again when this call returns
    rest = start < data.length ? Buffer.from(data.subarray(start)) : null;
}

// Quotes inside a JSON text are escaped, so these needles are found only where they are keys.
function frame(data, start, end) {
    const line = data.subarray(start, end);
    if (line.indexOf('data: {') !== 0 && line.indexOf('data:{') !== 0) {
        return;
    }
    if (line.indexOf('"usage":{') >= 0 || line.indexOf('"details":{') >= 0) {
        totals(JSON.parse(line.toString().slice(5)));
    } else if (line.indexOf('{"error":') < 0) {
        frames++;
    }
}

function totals(event) {
    const usage = event.usage;
    const details = event.details;
    if (usage) {
        prompt += usage.prompt_tokens;
        generated += usage.completion_tokens;
    } else if (details) {
        prompt += details.input_length || 0;
        generated += details.generated_tokens;
    }
    counted = true;
}

// What has passed so far: tokens, and whether the prompt's are among them. undefined when nothing was streamed.
function counts() {
    if (!streaming) {
        return undefined;
    }
    return { prompt: counted ? prompt : null, generated: Math.max(generated, frames) };
}

export default { begin, watch, counts };
