// The checks at the door, one function a kind of route; nginx calls them in its access phase (see snippets/). What else has to be
// known of a route comes from the table `routes`, in variables.
// Decides who it is (accounts, sessions, single sign-on) and whether he may go on (limits); answers refusals itself.

import crypto from 'crypto';
import accounts from 'accounts.js';
import answers from 'answers.js';
import limits from 'limits.js';
import meter from 'meter.js';
import sessions from 'sessions.js';

const NOBODY = unlimited({ account: '-' });
// A person's name that logs, figures and headers can carry: whatever `users add` takes, and more for single sign-on.
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/;
const HOST = /^[A-Za-z0-9._:[\]-]{1,255}$/;
const NOBODYS_NAME = /^(localhost|\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])$/;

// The API at the door: a key, where one is needed.
function api(r) {
    meter.begin();
    accounts.ensureLoaded();
    if (!accounts.apiIsClosed()) {
        if (isAskedHere(r)) {
            goOn(r, NOBODY);
        }
        return;
    }
    const account = byBearer(r.headersIn.Authorization);
    if (account === undefined) {
        answers.refuse(r, 'unauthorized');
    } else {
        goOn(r, account);
    }
}

// What describes the API: for programs, and for whoever reads it in a browser, where he is signed in.
function docs(r) {
    return r.headersIn.Authorization === undefined ? page(r) : api(r);
}

// While nobody is asked who he is: a page elsewhere could have a name of its own point at this machine (DNS rebinding), and use
// the appliance through the browser of whoever looks at it. So only addresses and localhost pass, which are nobody's names. Nor may
// it send here what needs no leave of ours: a browser says with each POST whose page sends it.
function isAskedHere(r) {
    const origin = r.headersIn.Origin;
    if (!NOBODYS_NAME.test(r.variables.host)) {
        answers.refuse(r, 'host');
        return false;
    }
    if (origin !== undefined && origin.replace(/^https?:\/\//, '') !== r.headersIn.Host) {
        answers.refuse(r, 'origin');
        return false;
    }
    return true;
}

function byBearer(header) {
    const match = /^Bearer +([\x21-\x7e]+)$/i.exec(header || '');
    if (match === null) {
        return undefined;
    }
    const key = accounts.byKey(crypto.createHash('sha256').update(match[1]).digest('hex'));
    return key === undefined || (key.expires !== null && key.expires <= Date.now()) ? undefined : key;
}

// The chat replicas' own calls to the engine: the name that they pass on was put there by `page`.
function internal(r) {
    meter.begin();
    accounts.ensureLoaded();
    goOn(r, named(r.headersIn['X-User'] || ''));
}

// Their short questions, of which counting a conversation's tokens is work for the engine: an answer's join pays for so many.
function question(r) {
    accounts.ensureLoaded();
    const account = named(r.headersIn['X-User'] || '');
    r.variables.account = account.account;
    if (r.method === 'POST' && account !== NOBODY) {
        refuseIf(r, limits.admitCount(account));
    }
}

function named(name) {
    return NAME.test(name) ? accounts.byName(name) || guest(name) : NOBODY;
}

// Somebody whom single sign-on vouches for.
function guest(name) {
    return unlimited({ account: 'user:' + name, id: name });
}

function unlimited(account) {
    return Object.assign(account, limits.of({}));
}

function goOn(r, account) {
    r.variables.account = account.account;
    if (r.variables.counted !== 'yes' || r.method !== 'POST') {
        return;
    }
    if (!refuseIf(r, limits.admit(account, meter.generates(r)))) {
        r.variables.admitted = '1';
    }
}

function refuseIf(r, refusal) {
    if (refusal !== undefined) {
        answers.refuse(r, refusal.reason, refusal.retryAfter);
    }
    return refusal !== undefined;
}

// The chat page: a session, where people are known.
async function page(r) {
    accounts.ensureLoaded();
    if (!accounts.pageIsClosed()) {
        return isAskedHere(r);
    }
    const name = process.env.SSO_URL ? await vouchedFor(r) : signedIn(r);
    if (name !== undefined) {
        r.variables.person = name;
        r.variables.account = 'user:' + name;
        return true;
    }
    sendToSignIn(r);
    return false;
}

// Where the appliance stands is told to every program; the page about it is a part of the page.
async function status(r) {
    if (wantsPage(r)) {
        await page(r);
    }
}

// What a person does on the page, of which a join brings a whole conversation: held to that person's rate.
async function action(r) {
    if (await page(r) && r.variables.person !== '' && r.method === 'POST') {
        refuseIf(r, limits.admitJoin(named(r.variables.person)));
    }
}

function signedIn(r) {
    const person = accounts.sessionSecret() && sessions.account(r.variables[`cookie_${sessions.cookieName()}`]);
    return person ? person.id : undefined;
}

// Asks the single sign-on service as nginx's auth_request does: 2xx lets in, with the name in a header of its answer.
async function vouchedFor(r) {
    const reply = await r.subrequest('/_sso', { method: 'GET' });
    const name = reply.headersOut[process.env.SSO_USER_HEADER || 'X-Auth-Request-User'] || '';
    return reply.status >= 200 && reply.status < 300 && NAME.test(name) ? name : undefined;
}

function wantsPage(r) {
    return r.method === 'GET' && /text\/html/.test(r.headersIn.Accept || '');
}

function sendToSignIn(r) {
    if (wantsPage(r)) {
        r.return(303, '/login');
        return;
    }
    r.variables.refused = 'unauthorized';
    r.headersOut['Content-Type'] = 'application/json';
    r.return(401, '{"error":"Sign in first: open this address in a browser.","code":"unauthorized"}');
}

// POST /session, behind auth_basic: the password was right.
function signIn(r) {
    accounts.ensureLoaded();
    const name = r.variables.remote_user;
    if (accounts.byName(name) === undefined || !accounts.sessionSecret()) {
        r.return(403);
        return;
    }
    r.variables.account = 'user:' + name;
    r.headersOut['Set-Cookie'] = sessions.open(name, r.variables.scheme === 'https');
    r.return(204);
}

// The answer to a wrong password: auth_basic has put its challenge among the headers.
function withoutChallenge(r) {
    delete r.headersOut['WWW-Authenticate'];
}

// POST /logout: also a copy of the cookie is worth nothing afterwards.
function signOut(r) {
    accounts.ensureLoaded();
    const name = signedIn(r);
    if (name !== undefined) {
        r.variables.account = 'user:' + name;
        sessions.endAll(name);
    }
    r.headersOut['Set-Cookie'] = sessions.close(r.variables.scheme === 'https');
    r.return(303, '/login');
}

function ssoUrl() {
    return process.env.SSO_URL || '';
}

// The name under which the page is asked for. Said by the operator, or else by whoever asks.
function ssoHost(r) {
    const asked = process.env.SSO_HOST || r.variables.http_host || '';
    return HOST.test(asked) ? asked : '';
}

function ssoSignInUrl() {
    return process.env.SSO_URL ? process.env.SSO_SIGN_IN_URL || '' : '';
}

export default {
    ssoUrl, ssoHost, ssoSignInUrl, api, docs, internal, question, page, status, action, signIn, withoutChallenge, signOut,
    refresh: accounts.refresh,
};
