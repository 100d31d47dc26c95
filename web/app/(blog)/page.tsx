import { listPosts } from "@/lib/gateway";

export default async function Home() {
  const page = await listPosts({ limit: 13 });
  return (
    <main id="content">
      <h1>Stories</h1>
      <ul>{page.data.map((post) => <li key={String(post.id)}><a href={`/posts/${post.slug}`}>{post.title}</a></li>)}</ul>
    </main>
  );
}
