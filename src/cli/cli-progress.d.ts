// The part of cli-progress 3 that the bar uses; the package has no types of its own.
declare module "cli-progress" {
  export class SingleBar {
    constructor(options: {
      format: string;
      stream: NodeJS.WritableStream;
      barCompleteChar?: string;
      barIncompleteChar?: string;
      hideCursor?: boolean;
    });
    start(total: number, value: number, payload?: Record<string, string>): void;
    update(value: number, payload?: Record<string, string>): void;
    stop(): void;
  }
}
