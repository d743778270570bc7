// A person at a real Firefox, whose engine says what it is told to (harness/echo_engine.py):
// node firefox.mjs FIREFOX URL TAG TEXTS, the last one the file with the page's texts in the language of that tag.
// Prints one JSON object: what each of the steps saw, by its name; a step that failed has `failed` and why.

/* global document -- in what the page evaluates */
import { readFileSync } from 'node:fs';
import puppeteer from 'puppeteer-core';

const [firefox, url, tag, file] = process.argv.slice(2);
const texts = JSON.parse(readFileSync(file, 'utf-8'));
const SLOW = 30; // tokens a second
const LONG = Array.from({ length: 120 }, (_, number) => `word${number}`).join(' ');
const ENDLESS = Array.from({ length: 900 }, (_, number) => `word${number}`).join(' ');
const MARKDOWN = '**注意：**先备份。 $x^2$\n\n```python\nprint(1)\n```\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n<template> List<T>';
const ANSWERS = '#conversation .answer-text';

const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: firefox,
    headless: true,
    protocolTimeout: 60_000,
    extraPrefsFirefox: { 'intl.accept_languages': tag, 'intl.locale.requested': 'en-US' },
});
const page = await browser.newPage();
page.setDefaultTimeout(60_000);
await page.setViewport({ width: 1280, height: 860 });
const elsewhere = [];
const errors = [];
page.on('request', (request) => {
    if (request.url().startsWith('http') && new URL(request.url()).host !== new URL(url).host) elsewhere.push(request.url());
});
page.on('pageerror', (error) => errors.push(error.message));

const button = (key) => page.locator(`::-p-xpath(//button[normalize-space()="${texts[key]}" or @aria-label="${texts[key]}"])`);
const send = () => button('page_send');
const stop = () => button('page_stop');
const said = () => page.$$eval(ANSWERS, (all) => all.map((one) => one.innerText.trim()));
const questions = () => page.$$eval('#conversation .bubble', (all) => all.map((one) => one.innerText.trim()));
const lastSays = (part) => page.waitForFunction(
    (answers, wanted) => [...document.querySelectorAll(answers)].at(-1)?.innerText.includes(wanted), {}, ANSWERS, part);
const open = (id) => page.$eval(`#${id}`, (panel) => !panel.inert);
const opens = (id, wanted) => page.waitForFunction((name, state) => document.getElementById(name)?.inert !== state, {}, id, wanted);

// The question is put into the box at once, as by pasting; it is sent by the button or by Enter.
async function ask(text, rate, how = () => send().click()) {
    const before = (await questions()).length;
    await page.$eval('#ask textarea', (box, value) => {
        box.focus();
        box.value = value;
        box.dispatchEvent(new Event('input', { bubbles: true }));
    }, rate ? `${rate}\n${text}` : text);
    await how();
    await page.waitForFunction((count) => document.querySelectorAll('#conversation .bubble').length > count, {}, before);
}

async function finishes() {
    await send().wait();
    await page.waitForFunction(
        (label) => ![...document.querySelectorAll('button')].some((one) => one.innerText.trim() === label && one.checkVisibility()),
        {}, texts.page_stop);
}

const STEPS = {
    async arrived() {
        await page.goto(url);
        await send().wait();
        await page.waitForFunction((title) => document.title === title, {}, texts.page_title);
        return {
            language: await page.evaluate(() => document.documentElement.lang),
            asks: await page.$eval('#ask textarea', (box) => box.placeholder),
            labels: await page.$$eval('button', (all) => all.map((one) => one.innerText.trim()).filter(Boolean)),
        };
    },
    async streamed() {
        await ask(LONG, SLOW);
        await lastSays('word5 ');
        const early = (await said()).at(-1);
        await lastSays('word60 ');
        const later = (await said()).at(-1);
        await finishes();
        return { early, later, whole: (await said()).at(-1) === LONG };
    },
    async rendered() {
        await ask(MARKDOWN, 0, () => page.keyboard.press('Enter'));
        await lastSays('List<T>');
        await finishes();
        for (const late of ['.katex', '.hljs-built_in']) await page.waitForSelector(`${ANSWERS} ${late}`);
        return page.$$eval(ANSWERS, (all) => {
            const of = (selector) => [...all.at(-1).querySelectorAll(selector)].map((one) => one.innerText.trim());
            return { strong: of('strong'), code: of('.code-head > span'), cells: of('td'), templates: of('template').length, text: all.at(-1).innerText };
        });
    },
    async reloaded() {
        const before = [await questions(), await said()];
        await page.reload();
        await page.waitForFunction((answers, count) => document.querySelectorAll(answers).length === count, {}, ANSWERS, before[1].length);
        for (const late of ['.katex', '.hljs-built_in']) await page.waitForSelector(`${ANSWERS} ${late}`);
        return { before, after: [await questions(), await said()] };
    },
    async reloadedMeanwhile() {
        await ask(LONG, SLOW);
        await lastSays('word5 ');
        await page.reload();
        await stop().wait();
        await lastSays('word119');
        await finishes();
        return { whole: (await said()).at(-1) === LONG, answers: (await said()).length };
    },
    async stopped() {
        await ask(ENDLESS, SLOW);
        await lastSays('word5 ');
        await stop().click();
        await finishes();
        const text = (await said()).at(-1);
        return { ended: text.endsWith('word899'), told: await page.$eval('#conversation', (log, note) => log.innerText.includes(note), texts.page_stopped) };
    },
    async listed() {
        const closed = !await open('library');
        await button('page_new_chat').click();
        await page.waitForFunction(() => !document.querySelector('#conversation .bubble'));
        await button('page_library').click();
        await opens('library', true);
        const titles = await page.$$eval('#library-list .library-title', (all) => all.map((one) => one.innerText.trim()));
        await page.locator('#library-list .library-open').click();
        await page.waitForSelector(ANSWERS);
        return { closed, titles, questions: (await questions()).length };
    },
    async settings() {
        const label = `::-p-xpath(//*[normalize-space()="${texts.page_system_prompt}"])`;
        await button('page_settings').click();
        await opens('settings', true);
        await page.locator(label).wait();
        await page.keyboard.press('Escape');
        await opens('settings', false);
        return { open: await open('settings'), focused: await page.evaluate(() => document.activeElement.innerText.trim()) };
    },
};

const seen = {};
for (const [name, step] of Object.entries(STEPS)) {
    try {
        seen[name] = await step();
    } catch (error) {
        seen[name] = { failed: String(error) };
    }
}
await browser.close();
console.log(JSON.stringify({ ...seen, elsewhere, errors }));
