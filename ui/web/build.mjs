// Makes ui/chat_ui/static/view of src/ and the packages that package-lock.json pins. With --check it only says whether what lies
// there is what it would make, byte for byte.

import { readFile, readdir, rm, mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, "../chat_ui/static/view");
// what an old browser needs of a font's three forms is none of the other two
const only_woff2 = {
  name: "only-woff2",
  setup: ({ onLoad }) => onLoad({ filter: /katex\.css$/ }, async ({ path }) => ({
    contents: (await readFile(path, "utf8")).replace(/,\s*url\([^)]*\.(?:woff|ttf)\) format\("[^"]*"\)/g, ""),
    loader: "css",
  })),
};

async function bundled() {
  const { outputFiles } = await build({
    absWorkingDir: HERE,
    entryPoints: ["main.js", "view.css", "highlight.js", "formulas.js", "formulas.css"].map((name) => join("src", name)),
    external: ["./highlight.js", "./formulas.js"],
    outdir: OUT,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2023"],
    charset: "utf8",
    legalComments: "none",
    loader: { ".woff2": "file" },
    assetNames: "[name]",
    plugins: [only_woff2],
    write: false,
  });
  return new Map(outputFiles.map(({ path, contents }) => [relative(OUT, path), Buffer.from(contents)]));
}

// The licences of what is in it, as they ask for.
async function licences() {
  const { packages } = JSON.parse(await readFile(join(HERE, "package-lock.json"), "utf8"));
  const texts = [];
  for (const [folder, { version, optional, license }] of Object.entries(packages)) {
    if (!folder || optional || /esbuild|@types/.test(folder)) continue;
    const file = (await readdir(join(HERE, folder))).find((name) => /^licen[cs]e/i.test(name));
    const text = file ? await readFile(join(HERE, folder, file), "utf8") : "";
    texts.push(`${folder.replace("node_modules/", "")} ${version} (${license})\n\n${text.trim()}\n`);
  }
  // why: they come in katex, whose file has no word of it; their own name tables say so
  const fonts = await readFile(join(HERE, "OFL-1.1.txt"), "utf8");
  texts.push(`The fonts KaTeX_*.woff2 (OFL-1.1)\n\n${fonts}`);
  return Buffer.from(texts.join(`\n${"-".repeat(80)}\n\n`));
}

async function differing(files) {
  const there = await readdir(OUT).catch(() => []);
  const names = new Set([...there, ...files.keys()]);
  const wrong = [];
  for (const name of names) {
    const found = await readFile(join(OUT, name)).catch(() => null);
    if (!found || !files.get(name)?.equals(found)) wrong.push(name);
  }
  return wrong;
}

const files = (await bundled()).set("LICENCES.txt", await licences());
if (process.argv.includes("--check")) {
  const wrong = await differing(files);
  if (wrong.length) console.error(`not what ui/web makes: ${wrong.join(", ")}; run: npm --prefix ui/web run build`);
  process.exitCode = wrong.length ? 1 : 0;
} else {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  for (const [name, content] of files) await writeFile(join(OUT, name), content);
}
