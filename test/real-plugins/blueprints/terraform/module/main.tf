variable "who" { type = string }

resource "terraform_data" "one" { input = "hello ${var.who}" }

output "said" { value = terraform_data.one.output }
