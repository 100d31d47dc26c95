import { labelsMetadata, LabelsPage } from "@/components/Labels";

export const generateMetadata = () => labelsMetadata("tags");

export default function Index() {
  return <LabelsPage kind="tags" />;
}
