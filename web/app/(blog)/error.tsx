"use client";

import { failure } from "@/failure";

export default function Broken() {
  return (
    <div role="alert">
      <h1>{failure.title}</h1>
      <p>{failure.text}</p>
    </div>
  );
}
