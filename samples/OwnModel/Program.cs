using StableTune.Samples;

// Trains a LoRA on a small model that knows nothing of StableTune, saves it, and loads it into a fresh copy of the model.
//   bash samples/run.sh OwnModel [FILE]           out/own-model.safetensors
OwnModel.Run(args.FirstOrDefault() ?? Path.Combine("out", "own-model.safetensors"), Console.WriteLine);
