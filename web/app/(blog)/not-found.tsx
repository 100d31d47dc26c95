import { Notice } from "@/components/Notice";
import { texts } from "@/texts";

export default function Missing() {
  return (
    <>
      <title>{texts.blog.missing.title}</title>
      <Notice code="404" {...texts.blog.missing} />
    </>
  );
}
