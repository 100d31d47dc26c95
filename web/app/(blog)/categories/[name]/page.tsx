import { labelMetadata, LabelPage, type LabelParams } from "@/components/Labels";

export const generateMetadata = (asked: LabelParams) => labelMetadata("categories", asked);

export default function One(asked: LabelParams) {
  return <LabelPage kind="categories" asked={asked} />;
}
