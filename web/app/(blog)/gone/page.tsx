import { texts } from "@/texts";

export default function Gone() {
  return (
    <main id="content">
      <h1>{texts.blog.gone.title}</h1>
      <p>{texts.blog.gone.text}</p>
    </main>
  );
}
