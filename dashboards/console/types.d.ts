// Types of the page's settings, of the API's answers, and of the scripts' parameters, for the type
// checker alone; the API's own document is /api/v1/openapi.json. Times are RFC 3339 unless their
// name ends in _ms.
declare module "*/leaflet/leaflet-src.esm.js" {
  export * from "leaflet";
}

interface Window {
  switchTheme(): void;
}

/** The data block of the page, from dashboards/console/pages.py. */
interface Config {
  lang: "zh" | "en";
  texts: Record<string, string>;
  timezone: string;
  demo_speed: number | null;
  tile_url: string | null;
  tile_datum: "wgs84" | "gcj02";
  attribution: string;
  max_gap_s: number;
  battery_low_percent: number;
  /** States of zones, the most urgent first. */
  states: string[];
  /** Rules of alerts, by name. */
  rules: string[];
  ages: { up_to_s: number | null; color: string }[];
  pages: { name: string; key: string; path: string }[];
  me: string | null;
  may_act: boolean;
  may_manage: boolean;
  csrf: string | null;
  page: { name: string; params: Record<string, string>; allowed: boolean };
}

/** What an element is made of; what is null or false is left out. */
type Child = Node | string | null | undefined | false;
type LatLng = [number, number];
/** As GeoJSON has it: lng, lat. */
type Place = [number, number];

interface Polygon {
  type: "Polygon";
  coordinates: Place[][];
}
interface MultiPolygon {
  type: "MultiPolygon";
  coordinates: Place[][][];
}
type Geometry = Polygon | MultiPolygon;

/** Of GET /coverage and the event "coverage". */
interface ZoneStatus {
  zone_id: string;
  name: string;
  name_zh?: string;
  state: string;
  reason: string;
  detail?: string;
  covered_ratio: number;
  target: number;
  cells_covered: number;
  cells_total: number;
  cells_expected: number | null;
  frequency_s: number;
  idle_s: number | null;
  due_in_s: number | null;
  last_patrolled: string | null;
  last_visit_by: Visit | null;
  window_from: string | null;
  window_to: string | null;
  campaign: string | null;
  paused_until: string | null;
  bikes_inside: number | null;
}
interface Visit {
  bike: string;
  at: string;
}

/** A feature of GET /zones. */
interface Zone {
  id: string;
  type: "Feature";
  geometry: Geometry;
  properties: ZoneProperties;
}
interface ZoneProperties {
  zone_id: string;
  name: string;
  name_zh?: string;
  policy: string;
  code: string | null;
  label: Place;
  state?: string;
  valid_from: string | null;
  valid_to: string | null;
}
interface Grid {
  south: number;
  west: number;
  north: number;
  east: number;
  rows: number;
  cols: number;
}
interface Zones {
  features: Zone[];
  /** What cannot be patrolled. */
  excluded: { properties: { name: string; name_zh: string | null }; geometry: Geometry }[];
  grid: Grid;
  version: number;
}

/** Of GET /bikes and the event "bike"; a replay's bikes bring their `age_s`. */
interface Bike {
  vendor: string;
  bike_id: string;
  liveness: string;
  at?: string | number | null;
  age_s?: number;
  lat: number | null;
  lng: number | null;
  heading_deg?: number | null;
  speed_mps?: number | null;
  battery_percent?: number | null;
  accuracy_m?: number | null;
  vehicle_state?: string | null;
  zone_id?: string | null;
}
interface BikeName {
  vendor: string;
  bike_id: string;
}
/** Of GET /bikes/days and GET /bikes/{bike_id}/day. */
interface DayFigures extends BikeName {
  date: string;
  distance_m: number | null;
  cells: number | null;
  cells_first: number | null;
  redundant_share: number | null;
  zones: { zone_id: string; time_s: number; cells: number | null }[];
  verdicts: Record<string, number>;
}
/** Of GET /bikes/{bike_id}/path. */
interface BikePath {
  path: LatLng[][];
  stops: { lat: number; lng: number; from: string; to: string }[];
  rejected: { timestamps: number[]; lat: number[]; lng: number[]; verdicts: string[] };
  rejected_total: number;
  cells: { lat: number[]; lng: number[]; first: boolean[] } | null;
  /** Height and width of a cell [degrees]. */
  cell: [number, number];
}
/** Of GET /tracks; `gap_ms` is added here: the longest silence over which a path is drawn. */
interface Track extends BikeName {
  timestamps: number[];
  lat: number[];
  lng: number[];
  heading?: (number | null)[];
  gap_ms: number;
  /** When what was read of it ends [ms]. */
  until?: number;
}

/** Of GET /alerts and the event "alert". */
interface Alert {
  alert_id: string;
  rule: string;
  severity: string;
  state: string;
  zone_id: string | null;
  bike: string | null;
  vendor: string | null;
  opened: string;
  updated: string;
  acknowledged_by: string | null;
  assigned_to: string | null;
  shelved_until: string | null;
  window_from: string | null;
  closed: string | null;
  closed_by: string | null;
  reopened: number;
  reason: string;
  evidence: Record<string, any>;
}
interface AlertRow {
  at: string;
  event: string;
  actor: string;
  reason: string | null;
  assigned_to?: string | null;
  until?: string | null;
  evidence: Record<string, any>;
}
interface AlertRecord extends Alert {
  history: AlertRow[];
}

/** Of GET /policies and GET /zones/{zone_id}/policy. */
interface Policy {
  name: string;
  hours: string[];
  frequency_s: number;
  window: "shift" | "day" | "week";
  target: number;
  min_cells: number;
  look_back_s: number | null;
  auto_close: boolean;
  close_hold_s: number;
}
interface ZonePolicy extends Policy {
  campaign: string | null;
  paused: string | null;
  exceptions: { summary: string; from: string; to: string }[];
}
/** Of GET /coverage/trend. */
interface Trend {
  zone_id: string;
  from: string | null;
  to: string;
  step_s: number;
  covered_ratio: (number | null)[];
}
/** Of GET /coverage/{zone_id}/days. */
interface ZoneDay {
  date: string;
  covered_ratio: number;
  cells_covered: number;
  cells_total: number;
  target: number;
  verdict: "reached" | "short" | "unknown";
  reason: string;
  duty_s: number;
  mean_idle_s: number | null;
}
interface Campaign {
  name: string;
  kind: "campaign" | "pause";
  state: "in_force" | "planned" | "over";
  source: string;
  zones: string[];
  from: string;
  to: string;
  keys: Record<string, any>;
  reason: string | null;
  ordered_by: string;
  ordered_at: string;
  ended_by?: string | null;
  ended_at?: string | null;
  end_reason?: string | null;
}

/** The event "health". */
interface Health {
  now_ms: number;
  bikes: number;
  bikes_live: number;
  rate_per_s: number | null;
  lag_s: number;
  parts: { name: string; ok: boolean; reason: string; required?: boolean }[];
}

/** A problem document (RFC 9457). */
interface Problem {
  reason?: string;
  detail?: string;
  step_s?: number;
  problems?: { where: string; message: string }[];
  errors?: { where: string; message: string }[];
}

/** A question of a form; see askFor in page/dialog.js. */
interface Field {
  name: string;
  label: string;
  type?: "text" | "area" | "choice" | "several" | "moment" | "password";
  value?: any;
  options?: { value: string; text: string }[];
  required?: boolean;
  list?: string[];
  hint?: string;
  /** Another field, and the value it must have for this one to be asked. */
  only?: [string, string];
}
/** A line at the foot of the page: its button, what that does, how long it stays, its colour. */
interface ToastOptions {
  button?: string;
  act?: () => unknown;
  for_ms?: number;
  kind?: string;
}
/** A request that changes something. */
interface ChangeOptions {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
}
/** Layers of the map by name; `show` is called with whether the layer is on, now and later. */
type Layers = Record<string, { on: boolean; show: (on: boolean) => void }>;
/** A moment on the bar of a replay. */
interface Mark {
  at: number;
  text: string;
  kind: string;
}
/** What is wrong with a drawn zone, and where, if that is known. */
interface Flaw {
  zone?: string;
  text: string;
  place: Place | null;
}
/** Mistakes in a form: one of the whole, and those of its fields by name. */
type Wrong = string | { text?: string; fields?: Record<string, string> } | null | undefined;

/** A form for askFor in page/dialog.js. */
interface Question {
  title: string;
  note?: string;
  fields?: Field[];
  /** Text of the button that sends. */
  go: string;
  danger?: boolean;
  /** What the values would do. */
  preview?: (values: any) => Promise<Child[]>;
  /** Sends the values, and says what was wrong. */
  send?: (values: any) => Promise<Wrong>;
}
/** An order about zones; texts are keys. `subject` is empty where the form asks for the name. */
interface Order extends Omit<Question, "title" | "danger" | "send"> {
  subject: string;
  done: string;
  send: (values: any) => any;
}
interface Answered {
  ok: boolean;
  status: number;
  body: any;
}
interface ChangeForm extends Omit<Question, "title" | "note" | "go" | "send"> {
  /** Of whom or what it is about; without one, something new is made. */
  name?: string;
  /** Key of the text of its button. */
  go?: string;
  notes: string[];
  send: (given: any) => Promise<Answered | null>;
}

interface LongRows {
  /** Gives a row without contents. */
  make: () => HTMLElement;
  /** Puts those of a key into it. */
  fill: (node: HTMLElement, key: string) => void;
}
interface PickedRows {
  role: string;
  /** Address of a row's page. */
  path: (id: string) => string;
  /** A row was selected. */
  onPick: (row: any) => void;
  /** Whether a press on a row opens its page at once. */
  opens?: () => boolean;
}
interface AlertRows {
  onPick?: (alert: Alert) => unknown;
  opens?: () => boolean;
  /** Key of the text of an empty list. */
  empty?: string;
}
interface ZoneRow {
  node: HTMLElement;
  status: ZoneStatus;
  trend?: Trend;
  /** How many are open. */
  alerts: number;
  cells: { name: string; node: HTMLElement; drawn: string }[];
}
interface ZoneColumn {
  sort: (a: ZoneRow, b: ZoneRow) => number;
  /** Values that a cell is drawn from, and its nodes. */
  of: (row: ZoneRow) => unknown[];
  cell: (row: ZoneRow) => Child[];
}
interface BikeColumn {
  /** Value to sort by; a bike without one stands at the end either way. */
  of: (bike: Bike, day?: DayFigures) => string | number | null | undefined;
  /** Whether large figures are asked for first. */
  large?: boolean;
  /** Whether it is of the day's figures. */
  day?: boolean;
}

interface DrawnZone {
  shape: L.GeoJSON;
  label: L.Tooltip;
  /** Contents of the label. */
  node: HTMLElement;
  zoneId: string;
  name: string;
  /** Null while it is not known. */
  status: ZoneStatus | null;
}
interface BikeLayerTells {
  /** A bike was pressed. */
  onPick: (key: string) => void;
  /** Called after each picture. */
  onDraw: () => void;
}
interface BikeCardAsks {
  /** The newest of a bike. */
  find: (key: string) => Bike | undefined;
  /** Whose track to show. */
  onTrack: (key: string | null) => void;
  onClose: () => void;
}

interface RatioPoint {
  at_ms: number;
  ratio: number | null;
}
interface Sparkline {
  /** `at` goes from 0 to 1. */
  points: { at: number; ratio: number | null }[];
  target: number;
  label: string;
}
interface ProgressChart {
  /** [px], as is the height. */
  width: number;
  height: number;
  from_ms: number;
  to_ms: number;
  now_ms: number;
  points: RatioPoint[];
  forecast: RatioPoint[];
  target: number;
  ticks: { at_ms: number; text: string }[];
  says: { target: string; deadline: string; now: string; forecast: string };
  label: string;
}
interface CalendarDay {
  date: string;
  number: string;
  /** 0 is Monday. */
  weekday: number;
  /** "known", "unknown" (hatched) or "ahead". */
  kind: string;
  ratio?: number;
  /** 0 to 4. */
  level?: number;
  /** "missed", "reached" or "". */
  mark: string;
  says: string;
}
interface CalendarChart {
  days: CalendarDay[];
  label: string;
  /** Hears which day somebody looks at. */
  onDay: (day: CalendarDay) => void;
}
/** Patrol hours: days of the week (0 is Monday), and minutes of the day. */
interface HourSpan {
  ranges: [number, number][];
  from: number;
  to: number;
}

/** A time that is replayed [ms]. */
interface Span {
  from: number;
  to: number;
}
/** Shows the past. */
interface Scene {
  enter: () => void;
  leave: () => void;
  resized: () => void;
  bikes: (bikes: Map<string, Bike>) => void;
  trails: (tracks: Map<string, Track>, at: number) => void;
  cells: (at: number) => void;
  /** Gets null while they are not known. */
  zones: (statuses: ZoneStatus[] | null, at: number | null, outlines?: Zones) => void;
}

/** A rectangle [px]. */
interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}
interface PartedLabel {
  node: HTMLElement;
  /** Where it may stand, as shifts by its width and height [px]. */
  moves: ((wide: number, high: number) => number[])[];
  /** Whether it has lesser parts. */
  small?: boolean;
  /** Whether it stays at a place while that is free. */
  stays?: boolean;
}

type Pixel = { x: number; y: number };
type Replay = import("./static/replay/replay.js").Replay;
type DrawMap = import("./static/draw/map.js").DrawMap;
type Neighbours = DrawMap["neighbours"];
type Outline = import("./static/draw/outline.js").Outline;
/** A ring of an outline, without the repeated place at the end. */
interface Ring {
  part: number;
  places: Place[];
}
/** Where on a ring: the share of the edge that begins at a vertex. */
interface OnRing {
  index: number;
  share: number;
}
/** A click, with what the pen followed to get there. */
interface Stroke {
  on: any;
  pressed: L.Point;
  places: Place[];
}
interface PenTells {
  /** Gets what was drawn. */
  onClosed: (geometry: Polygon) => void;
  /** Called after each change. */
  onDrawn: () => void;
}
interface ZoneCardHands {
  map: DrawMap;
  panel: HTMLElement;
  zoneId: string;
  policies: Policy[];
  /** The result of the last act, to be shown. */
  said: string;
  /** Gets the version that is shown, the version of all zones, and whether more is planned. */
  onEdit: (zone: Zone, how: { over: number; planned: boolean }) => void;
  /** Called after the zone was ended. */
  onChanged: () => void;
}
interface DrawingHands {
  map: DrawMap;
  panel: HTMLElement;
  /** The zone that is redrawn; null is a new one. */
  zone: Zone | null;
  /** Version of all zones. */
  over: number;
  /** Whether another version is still to come. */
  planned: boolean;
  policies: Policy[];
  grid: Grid;
  /** Gets the API's answer. */
  onSaved: (zoneId: string, answer: any) => void;
  /** Asked before anything is given up. */
  onCancel: () => void;
}
interface DrawFormHands {
  /** Of the version before. */
  zone?: ZoneProperties;
  planned: boolean;
  policies: Policy[];
  /** Called when another moment is chosen. */
  onWhen: () => void;
  /** Called after every change. */
  onTyped: () => void;
}

/** Of GET /vendors. */
interface Vendors {
  broker: string;
  vendors: Vendor[];
}
interface Vendor {
  vendor: string;
  state: "waiting" | "refused" | "sending";
  format: string;
  datum: string;
  topics: string[];
  listed: boolean;
  bikes: number;
  received: number;
  stored: number;
  rejected: number;
  rate_per_s: number;
  delay_s: number | null;
  clocks: { bike_id: string; offset_s: number }[];
  refusals: { reason: string; items: number; last: LastRefusal | null }[];
  notes: Record<string, number>;
  unknown_bikes: { bike_id: string; items: number; last: string; acceptable: boolean }[];
  accepted: string[];
  first_message?: { topic: string; payload: string; command: string };
}
interface LastRefusal {
  at: string;
  topic: string;
  bike_id: string;
  detail: string;
  /** Null where one may not see it. */
  payload: string | null;
  payload_bytes: number;
}
/** Of POST /vendors/{vendor}/listen. */
interface StrayTopics {
  prefixes: string[];
  topics: { topic: string; messages: number; payload: string; payload_bytes: number }[];
}
