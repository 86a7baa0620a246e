// Unpacks Chromium from its package into the folder for temporary files, and says where it lies.
import chromium from "@sparticuz/chromium";

console.log(await chromium.executablePath());
