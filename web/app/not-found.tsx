import { Notice } from "@/components/Notice";
import { Shell } from "@/components/Shell";
import { texts } from "@/texts";

export const metadata = { title: texts.blog.missing.title };

export default function Missing() {
  return (
    <Shell>
      <Notice code="404" {...texts.blog.missing} />
    </Shell>
  );
}
