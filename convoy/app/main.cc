#include "convoy/app/app.h"

int main(int argc, char** argv) { return convoy::app::main(argc, argv); }
