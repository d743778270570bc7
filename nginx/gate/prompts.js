// Prompts whose length no answer told: a stream that was left early, or does not say it. They wait in the shared dictionary
// `uncounted`, and the engine's own tokenizer counts them afterwards: asked here for TGI's prompts, by openai-api for what only that
// understands. Whatever cannot be counted is booked by its bytes.

import metrics from 'metrics.js';
import usage from 'usage.js';

// Shorter than the timer's interval: nginx ends a call that is still running when the next one is due.
const TURN_MS = 1500;
const TRIES = 30;   // two minutes of them: an engine that hangs fails like a prompt that cannot be counted
// A prompt of usual text has about as many; until it is counted, the budget takes it for so long.
const BYTES_A_TOKEN = 4;
// A context is no longer, so no answer is.
const MOST_TOKENS = 131072;
const EVERYTHING = 100000;
const REFUSED = 0;
const ABSENT = [502, 503, 504];

// What the request asked for: whether its answer streams, and how many tokens it may have.
function asked(r) {
    const document = parsed(textOf(r) || '') || {};
    const parameters = document.parameters || {};
    const tokens = Number(document.max_completion_tokens || document.max_tokens || parameters.max_new_tokens);
    const streams = document.stream === true || r.variables.route === 'generate_stream';
    return { streams: streams, tokens: tokens > 0 ? tokens : MOST_TOKENS };
}

// The request's body; undefined where it lies in a file, which nginx has closed by now: one sent in thousands of pieces.
function textOf(r) {
    try {
        return r.requestText || '';
    } catch {
        return undefined;
    }
}

function parsed(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}

function countLater(r, account, day) {
    const counter = r.variables.prompt_counter;
    const text = textOf(r);
    if (counter === '' || text === '') {
        return;
    }
    const bytes = text === undefined ? Number(r.variables.request_length) : text.length;
    const entry = { account: account, day: day, counter: counter };
    entry.expected = Math.min(MOST_TOKENS, Math.ceil(bytes / BYTES_A_TOKEN));
    if (text === undefined) {
        bookUncounted(entry, 'its body is not in memory');
        return;
    }
    try {
        put(entry, r.variables.request_id, 0, text);
    } catch (error) {
        bookUncounted(entry, error.message);
        return;
    }
    usage.expect(account, day, entry.expected);
}

function put(entry, id, tries, text) {
    const fields = [entry.account, entry.day, entry.counter, entry.expected, id, tries];
    ngx.shared.uncounted.set(fields.join('|'), text);
}

function bookUncounted(entry, why) {
    ngx.log(ngx.WARN, `usage: a prompt of ${entry.account} was not counted, ${entry.expected} tokens are booked: ${why}`);
    book(entry, entry.expected);
}

function book(entry, tokens) {
    usage.add(entry.account, entry.day, 'prompt_tokens', tokens);
    metrics.addPrompt(entry.account, tokens);
}

// Counts the prompts that wait for it, those first that failed least. Called by a timer in one worker. What finds no engine waits
// for another call, and is forgotten with the dictionary's timeout; what fails is tried again after all others.
async function countWaiting() {
    const began = Date.now();
    const tries = key => Number(key.slice(key.lastIndexOf('|') + 1));
    const keys = ngx.shared.uncounted.keys(EVERYTHING).sort((a, b) => tries(a) - tries(b));
    // not always from the same one: an engine that a prompt keeps from answering is another prompt's, too
    const first = Math.floor(Math.random() * keys.filter(key => tries(key) === 0).length);
    for (const key of keys.slice(first).concat(keys.slice(0, first))) {
        if (Date.now() - began > TURN_MS) {
            return;
        }
        await countOne(key, tries(key));
    }
}

async function countOne(key, tries) {
    const text = ngx.shared.uncounted.get(key);
    if (text === undefined) {
        return;
    }
    const parts = key.split('|');
    const entry = { account: parts[0], day: parts[1], counter: parts[2], expected: Number(parts[3]) };
    try {
        const tokens = await tokensOf(entry, text);
        if (tokens === REFUSED) {
            ngx.log(ngx.WARN, `usage: a prompt of ${entry.account} was not counted: the engine refuses it`);
        }
        if (tokens !== null) {
            end(key, entry, () => book(entry, tokens));
        }
    } catch (error) {
        if (tries + 1 >= TRIES) {
            end(key, entry, () => bookUncounted(entry, error.message));
            return;
        }
        if (tries === 0) {
            ngx.log(ngx.WARN, `usage: a prompt of ${entry.account} is counted again later: ${error.message}`);
        }
        ngx.shared.uncounted.delete(key);
        put(entry, parts[4], tries + 1, text);
    }
}

// Each entry ends once, whoever else may be counting it.
function end(key, entry, booking) {
    if (ngx.shared.uncounted.delete(key)) {
        usage.expect(entry.account, entry.day, -entry.expected);
        booking();
    }
}

// null where there is no engine, REFUSED where the engine takes no such prompt. Raises when this one cannot be counted.
async function tokensOf(entry, body) {
    const isTgis = entry.counter === '/tokenize';
    const reply = await ngx.fetch('http://127.0.0.1:8088' + entry.counter, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: isTgis ? JSON.stringify({ inputs: JSON.parse(body).inputs }) : body,
    });
    if (ABSENT.includes(reply.status)) {
        return null;
    }
    if (reply.status >= 400 && reply.status < 500) {
        return REFUSED;
    }
    if (!reply.ok) {
        throw new Error(`it was answered ${reply.status}`);
    }
    const answer = await reply.json();
    const count = isTgis ? answer.length : answer.tokens;
    if (!Number.isInteger(count)) {
        throw new Error('no number of tokens was answered');
    }
    return count;
}

export default { asked, countLater, countWaiting };
