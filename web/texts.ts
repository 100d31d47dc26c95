// Every word that a visitor or an editor reads.
export const texts = {
  common: {
    skip: "Skip to the content",
    studio: "Studio",
    home: "Home",
    tryAgain: "Try again",
  },
  blog: {
    gone: { title: "This story was withdrawn", text: "It was taken down for good, with its picture." },
    missing: { title: "There is no such page", text: "The address may be misspelt, or the story has moved." },
    away: { title: "The stories cannot be read just now", text: "The server that keeps them does not answer. It is asked again at the next visit." },
  },
  studio: {},
} as const;
