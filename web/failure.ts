// The words of the pages that browsers make themselves of an error: apart from `texts`, which would be sent with them.
export const failure = {
  title: "Something went wrong here",
  text: "This page could not be made. Load it again in a moment.",
} as const;
