// SPDX-License-Identifier: PostgreSQL
//
// main.tsx: start of the application.
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "../style/main.css";
import { App } from "./app";
import { startKeys } from "./parts/help";
import { startState } from "./state";
import { startTheme } from "./theme";

startTheme();
startState();
startKeys();
const root = document.getElementById("app");
if (root) render(<App />, root);
