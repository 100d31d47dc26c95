import { Shell } from "@/components/Shell";

export default function Blog({ children }: { children: React.ReactNode }) {
  return <Shell>{children}</Shell>;
}
