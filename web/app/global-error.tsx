"use client";

// In place of Next's own, whose inline styles the content security policy refuses.
import { failure } from "@/failure";
import "./globals.css";

export default function Broken() {
  return (
    <html lang="en">
      <body>
        <main role="alert">
          <h1>{failure.title}</h1>
          <p>{failure.text}</p>
        </main>
      </body>
    </html>
  );
}
