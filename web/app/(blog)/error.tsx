"use client";

import { texts } from "@/texts";

export default function Broken() {
  return (
    <div>
      <h1>{texts.blog.error.title}</h1>
      <p>{texts.blog.error.text}</p>
    </div>
  );
}
