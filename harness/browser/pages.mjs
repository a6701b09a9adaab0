// Pages from disk in a headless Chromium, watched: what they load, what they complain of, what their policy refused.

import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const target = fileURLToPath(new URL("../../target/browser/", import.meta.url));

/** The reports that are looked at, which `just test-browser` makes. */
export const REPORTS = ["default", "hostile", "experiments"];

/** A file of a report's folder. */
export const fileOf = (report, name = "report.html") => `${target}${report}/${name}`;

/** The browser of the distribution, unless CHROMIUM names another. */
export const launch = () => {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) throw new Error(`no ${executablePath}: apt-get install chromium, or name one with CHROMIUM`);
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
};

/** A report in a page of its own. `wrong` fills with what should not have happened. */
export const open = async (browser, report, { fragment = "", ...options } = {}) => {
  // Never bypassCSP: the policy is part of what is tested.
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(5000);
  const url = pathToFileURL(fileOf(report)).href;
  const wrong = [];
  page.on("console", (message) => wrong.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`error: ${error}`));
  page.on("dialog", (dialog) => (wrong.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
  page.on("request", (request) => request.url().split("#")[0] !== url && wrong.push(`request: ${request.url()}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(url + fragment);
  return { page, wrong, close: () => context.close() };
};

/** Opens all that is there for those who ask. */
export const openAll = (page) =>
  page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
