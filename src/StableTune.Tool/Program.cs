using StableTune.Tool;

return await StableTuneProgram.RunAsync(args, ToolConsole.OfProcess());
