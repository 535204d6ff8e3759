/** The paths that a token can be good for, each with its only method. */
export const ROUTES: ReadonlyMap<string, string> = new Map([
  ["/lp/export", "POST"],
  ["/export", "POST"],
  ["/ws/export", "GET"],
]);
