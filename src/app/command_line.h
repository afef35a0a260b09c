#pragma once

namespace sonde::app {

/// The whole program: parses the arguments, runs the subcommand, returns the exit code. 0: fine; 1:
/// the thing asked for failed; 2: the command line is wrong.
int Main(int argc, char** argv);

}  // namespace sonde::app
