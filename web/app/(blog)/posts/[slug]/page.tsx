import { notFound } from "next/navigation";
import { NotThere, readPost } from "@/lib/gateway";

export default async function PostPage({ params }: { params: Promise<{ slug: string }> }) {
  const { slug } = await params;
  const post = await readPost(decodeURIComponent(slug)).catch((error: unknown) => {
    if (error instanceof NotThere) notFound();
    throw error;
  });
  return (
    <main id="content">
      <h1>{post.title}</h1>
    </main>
  );
}
