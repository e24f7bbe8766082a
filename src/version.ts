/** The version of this library, written into its files; a test holds it against package.json. */
export const libraryVersion = "0.1.0";
