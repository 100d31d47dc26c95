import { labelsMetadata, LabelsPage } from "@/components/Labels";

export const generateMetadata = () => labelsMetadata("authors");

export default function Index() {
  return <LabelsPage kind="authors" />;
}
