import { labelMetadata, LabelPage, type LabelParams } from "@/components/Labels";

export const generateMetadata = (asked: LabelParams) => labelMetadata("authors", asked);

export default function One(asked: LabelParams) {
  return <LabelPage kind="authors" asked={asked} />;
}
