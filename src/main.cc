#include "app/command_line.h"

int main(int argc, char** argv) {
  return sonde::app::Main(argc, argv);
}
