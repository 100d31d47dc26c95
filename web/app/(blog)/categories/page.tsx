import { labelsMetadata, LabelsPage } from "@/components/Labels";

export const generateMetadata = () => labelsMetadata("categories");

export default function Index() {
  return <LabelsPage kind="categories" />;
}
