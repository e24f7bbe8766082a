// as-pect wants a reporter INSTANCE; onFinish runs once per spec file, so the closing line is printed at exit.
import { SummaryReporter } from "@as-pect/core";

let passed = 0;
let failed = 0;
let errors = 0;

class Closing extends SummaryReporter {
  onFinish(context) {
    super.onFinish(context);
    passed += context.testPassCount;
    failed += context.testCount - context.testPassCount;
    errors += context.errors.length;
  }
}

process.on("exit", (code) => {
  // A compile error or a trap outside a test fails the run without failing a test.
  if (code !== 0 && failed === 0) failed = Math.max(1, errors);
  process.stdout.write(`\nas-pect: ${passed} passed, ${failed} failed\n`);
});

export default new Closing();
