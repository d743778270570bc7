// The end of each request: gives back its place, and books what was used. nginx evaluates `settle` once a request, when it
// writes the access log, whichever way the request ended.

import limits from 'limits.js';
import meter from 'meter.js';
import metrics from 'metrics.js';
import usage from 'usage.js';

// Shorter than the timer's interval: nginx ends a call that is still running when the next one is due.
const TURN_MS = 1500;

// Returns the prompt's tokens for the log line, sets the variable with the generated ones.
function settle(r) {
    const account = r.variables.account;
    const refused = r.variables.refused;
    if (r.variables.admitted === '1') {
        limits.release(account);
    }
    const tokens = r.variables.admitted === '1' ? spent(r) : { prompt: null, generated: null };
    if (refused !== '') {
        usage.add(account, usage.today(), 'refused', 1);
    }
    metrics.book(r, account, refused, tokens);
    r.variables.generated_tokens = String(tokens.generated);
    return String(tokens.prompt);
}

function spent(r) {
    const account = r.variables.account;
    const day = usage.today();
    const tokens = meter.counts() || fromHeaders(r);
    usage.add(account, day, 'requests', 1);
    usage.add(account, day, 'prompt_tokens', tokens.prompt || 0);
    usage.add(account, day, 'generated_tokens', tokens.generated || 0);
    if (tokens.prompt === null) {
        countLater(r, account, day);
    }
    return tokens;
}

// What TGI says in the headers of an answer that is not streamed.
function fromHeaders(r) {
    const number = name => {
        const value = r.variables[`upstream_http_x_${name}_tokens`];
        return value ? Number(value) : null;
    };
    return { prompt: number('prompt'), generated: number('generated') };
}

// A stream that did not say how long its prompt was, or was left before it did: the engine's own tokenizer says so afterwards.
function countLater(r, account, day) {
    const counter = r.variables.prompt_counter;
    if (counter === '' || !r.variables.upstream_status || !r.variables.upstream_status.startsWith('200')) {
        return;
    }
    try {
        ngx.shared.uncounted.set(`${account}|${day}|${counter}|${r.variables.request_id}`, r.requestText || '');
    } catch (error) {
        ngx.log(ngx.WARN, `usage: a prompt of ${account} was not counted: ${error.message}`);
    }
}

// Counts the prompts that wait for it. Called by a timer in one worker; what cannot be counted now, since no engine answers
// in time, waits for the next call, and is forgotten with the dictionary's timeout.
async function countWaiting() {
    const began = Date.now();
    for (const key of ngx.shared.uncounted.keys()) {
        if (Date.now() - began > TURN_MS) {
            return;
        }
        try {
            await countOne(key, key.split('|'));
        } catch {
            return;
        }
    }
}

async function countOne(key, parts) {
    const tokens = await tokensOf(parts[2], ngx.shared.uncounted.get(key));
    if (tokens === null) {
        ngx.log(ngx.WARN, `usage: a prompt of ${parts[0]} was not counted: the engine refuses it`);
    } else {
        usage.add(parts[0], parts[1], 'prompt_tokens', tokens);
        metrics.addPrompt(parts[0], tokens);
    }
    ngx.shared.uncounted.delete(key);
}

// null where the engine refuses to count. Raises when there is no engine.
async function tokensOf(counter, body) {
    const document = JSON.parse(body);
    let count = 0;
    for (const text of counter === '/tokenize' ? [].concat(document.inputs || document.prompt) : [null]) {
        const reply = await ngx.fetch('http://127.0.0.1:8088' + counter, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: text === null ? body : JSON.stringify({ inputs: text }),
        });
        if (reply.status >= 500) {
            throw new Error(`the engine answered ${reply.status}`);
        }
        if (!reply.ok) {
            return null;
        }
        const answer = await reply.json();
        count += (text === null ? answer.tokenize_response : answer).length;
    }
    return count;
}

export default { settle, countWaiting, keepUsage: usage.keep, reclaim: limits.reclaim };
