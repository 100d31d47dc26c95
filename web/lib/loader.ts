// `next/image` is not used: <Picture> shows the renditions that the gateway names. A loader of our own takes
// /_next/image away.
export default function loader({ src }: { src: string }): string {
  return src;
}
