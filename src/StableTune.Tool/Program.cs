using StableTune.Tool;

var console = ToolConsole.OfProcess();
using var signals = new TerminationSignals(console.Error);
return signals.ExitCode(await StableTuneProgram.RunAsync(args, console, signals.Token));
