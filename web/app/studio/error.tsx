"use client";
// A page of the studio that has failed: said in words, with a way back.
import { Button, Notice } from "@/components/studio/ui";
import { texts } from "@/texts";

export default function Failure({ reset }: { error: Error; reset: () => void }) {
  return (
    <Notice tone="bad" title={texts.studio.common.pageFailed} action={<Button onClick={reset}>{texts.studio.common.tryAgain}</Button>}>
      <p>{texts.studio.common.pageFailedText}</p>
    </Notice>
  );
}
