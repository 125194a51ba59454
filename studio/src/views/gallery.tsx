/** Pictures that were drawn here. */
import { Title } from "../parts/fields.tsx";
import { IconButton } from "../parts/icon.tsx";
import { useUrl } from "../parts/picture-input.tsx";
import { restore, show } from "../state/app.ts";
import { bytesOf, download } from "../state/files.ts";
import { forget, forgetAll, gallery, type Kept } from "../state/gallery.ts";

export function Gallery() {
  const { pictures, loaded } = gallery.use();
  return (
    <section className="space-y-4" aria-label="Gallery">
      <div className="flex flex-wrap items-end justify-between gap-2">
        <Title hint="Kept by this browser. Each file carries its settings: drop one on the page to take them up again.">
          Gallery
        </Title>
        {pictures.length > 0 && (
          <button
            type="button"
            className="button"
            onClick={() => confirm("Delete all pictures of the gallery?") && forgetAll()}
          >
            Delete all
          </button>
        )}
      </div>
      {loaded && pictures.length === 0 && (
        <p className="hint panel py-16 text-center">Nothing here yet. What you draw is kept.</p>
      )}
      <ul className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-5">
        {pictures.map((picture) => (
          <Tile key={picture.id} picture={picture} />
        ))}
      </ul>
    </section>
  );
}

function Tile({ picture }: { picture: Kept }) {
  const { png, settings } = picture;
  const url = useUrl(png);
  const what = settings.prompt || "without a prompt";
  return (
    <li className="overflow-hidden rounded-2xl border border-line bg-panel">
      <img src={url} alt={what} loading="lazy" className="pixels aspect-square w-full bg-well object-contain" />
      <div className="px-3 pt-2">
        <p className="truncate text-sm" title={what}>
          {what}
        </p>
        <p className="figure truncate text-sm text-soft">
          seed {settings.seed}, {settings.steps} steps
        </p>
      </div>
      <div className="flex justify-between px-1 pb-1 [&>button]:size-8">
        <IconButton icon="restore" label={`Take up the settings of ${what}`} onClick={() => restore(settings)} />
        <IconButton icon="edit" label={`Edit ${what}`} onClick={async () => show("Edit", await bytesOf(png))} />
        <IconButton icon="eye" label={`Describe ${what}`} onClick={async () => show("Describe", await bytesOf(png))} />
        <IconButton icon="download" label={`Download ${what}`} onClick={() => download(picture)} />
        <IconButton icon="trash" label={`Delete ${what}`} onClick={() => forget(picture.id)} />
      </div>
    </li>
  );
}
