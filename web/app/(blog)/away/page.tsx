import { texts } from "@/texts";

export default function Away() {
  return (
    <main id="content">
      <h1>{texts.blog.away.title}</h1>
      <p>{texts.blog.away.text}</p>
    </main>
  );
}
