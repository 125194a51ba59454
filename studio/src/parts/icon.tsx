/** Line icons on a grid of 24. Decoration: what an icon button does is in its label. */
const PATHS = {
  download: "M12 4v11m0 0 4-4m-4 4-4-4M5 19h14",
  edit: "M4 20l1-4L16 5l3 3L8 19l-4 1z",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zm9.5 2.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6z",
  restore: "M4 11a8 8 0 1 1 2.3 6M4 5v6h6",
  trash: "M5 7h14M10 7V4.5h4V7m-7.5 0 1 13h9l1-13",
  lock: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z",
  unlock: "M7 11V8a5 5 0 0 1 9.6-2M6 11h12v9H6z",
  play: "M8 5.5v13l10-6.5z",
  pause: "M8 6v12M16 6v12",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zm0-5v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  code: "M9 7l-5 5 5 5m6-10 5 5-5 5",
  close: "M6 6l12 12M18 6 6 18",
  keyboard: "M3 7h18v11H3zm4 4h.01M11 11h.01M15 11h.01M8 15h8",
  upload: "M12 15V4m0 0 4 4m-4-4-4 4M5 19h14",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
} as const;

export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { name: IconName }) => (
  <svg viewBox="0 0 24 24" className="size-5 shrink-0" aria-hidden="true" focusable="false">
    <path
      d={PATHS[name]}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  </svg>
);

/** A button that shows an icon and says what it does. */
export const IconButton = ({
  icon,
  label,
  ...rest
}: { icon: IconName; label: string } & React.ComponentProps<"button">) => (
  <button type="button" className="icon-button" aria-label={label} title={label} {...rest}>
    <Icon name={icon} />
  </button>
);
