// The modules of nginx/gate under node, with what njs gives them: `ngx`, its shared dictionaries among it. Run all tests with
//
//   node --test tests/unit/nginx/*.test.mjs
//
// njs finds a bare name such as 'usage.js' on its js_path, which node does not: so it imports copies that say './usage.js'.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const GATE = new URL('../../../nginx/gate', import.meta.url).pathname;
const copies = mkdtempSync(join(tmpdir(), 'gate-'));
process.on('exit', () => rmSync(copies, { recursive: true }));
cpSync(GATE, copies, { recursive: true });
// What nginx keeps lies in a folder of the tests' own
mkdirSync(join(copies, 'state'));
writeFileSync(join(copies, 'package.json'), '{"type": "module"}');
for (const name of readdirSync(GATE)) {
    const text = readFileSync(join(GATE, name), 'utf8');
    writeFileSync(join(copies, name), text.replace(/^(import \w+ from ')(\w+\.js')/gm, '$1./$2').replaceAll("'/state/", `'${copies}/state/`));
}

// What a module of the gate exports.
export async function load(name) {
    return (await import(join(copies, name))).default;
}

// A shared dictionary: what njs's does, of what the gate asks. `room` is how many entries it holds.
class Dictionary {
    constructor(room) {
        this.room = room;
        this.entries = new Map();
        this.renewed = new Map();
    }

    get(key) {
        return this.entries.get(key);
    }

    set(key, value) {
        if (!this.entries.has(key) && this.entries.size >= this.room) {
            throw new Error('not enough space in the shared dictionary');
        }
        this.entries.set(key, value);
        return this;
    }

    // `timeout` is when the entry's ends anew, as njs does it: without one that of its first count goes on.
    incr(key, amount, initial, timeout) {
        const value = (this.entries.has(key) ? this.entries.get(key) : initial) + amount;
        this.renewed.set(key, timeout);
        this.set(key, value);
        return value;
    }

    delete(key) {
        return this.entries.delete(key);
    }

    pop(key) {
        const value = this.entries.get(key);
        this.entries.delete(key);
        return value;
    }

    get capacity() {
        return this.room * 256;
    }

    freeSpace() {
        return (this.room - this.entries.size) * 256;
    }

    keys() {
        return [...this.entries.keys()];
    }

    items() {
        return [...this.entries];
    }

    size() {
        return this.entries.size;
    }
}

// An `ngx` with empty dictionaries, `room` of them smaller than they need. What was logged is in `ngx.logged`.
export function freshNgx(room = {}) {
    const names = ['accounts', 'engines', 'running', 'windows', 'counters', 'usage', 'uncounted', 'expected'];
    const logged = [];
    globalThis.ngx = {
        WARN: 'warn',
        ERR: 'error',
        logged,
        log: (level, text) => logged.push(`${level}: ${text}`),
        shared: Object.fromEntries(names.map(name => [name, new Dictionary(room[name] ?? Infinity)])),
    };
}

// A request, as the gate sees one; `sent` collects what became of it.
export function request({ variables = {}, ...rest } = {}) {
    const sent = { pieces: [], done: false };
    return {
        method: 'POST',
        uri: '/generate_stream',
        headersIn: {},
        headersOut: {},
        ...rest,
        sent,
        // the defaults of conf.d/gate.conf
        variables: {
            account: '-', person: '', admitted: '', refused: '', route: 'other', counted: '', frames: '', prompt_counter: '',
            request_time: '0.500', first_byte: '', status: '200', host: '127.0.0.1', request_id: 'id', upstream_status: '200',
            upstream_connect_time: '0.001',
            ...variables,
        },
        sendBuffer: (data, flags) => sent.pieces.push([Buffer.from(data), flags]),
        done: () => { sent.done = true; },
        return: (status, body) => Object.assign(sent, { status, body }),
    };
}
