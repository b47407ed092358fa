import { testGolden } from "../golden.ts";
import { goldenOperations } from "./golden_operations.ts";

testGolden("operations", goldenOperations);
