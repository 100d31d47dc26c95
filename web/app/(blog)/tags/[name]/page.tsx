import { labelMetadata, LabelPage, type LabelParams } from "@/components/Labels";

export const generateMetadata = (asked: LabelParams) => labelMetadata("tags", asked);

export default function One(asked: LabelParams) {
  return <LabelPage kind="tags" asked={asked} />;
}
